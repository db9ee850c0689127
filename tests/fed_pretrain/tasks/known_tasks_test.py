"""The known tasks: what the list holds, what it refuses, and tasks from outside."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.store.features import FeatureSpec
from fed_pretrain.models import known_models
from fed_pretrain.tasks import known_tasks
from groundwork import plugins
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature

NAMES = {
    "femnist",
    "cifar10",
    "tiny_imagenet",
    "stackoverflow",
    "stackoverflow_char",
    "reddit",
    "reddit_char",
    "fashion_mnist",
    "digits",
    "mnist5k",
    "chitchat",
    "chitchat_prompt",
    "shakespeare",
}

PAGE = Path(known_tasks.__file__).parents[2] / "docs" / "extending.md"


def readme_module(name: str, folder: Path) -> str:
    """Writes the page's example of that file name into a folder of the user's."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = (block for block in blocks if block.startswith(f"# {name}.py"))
    (folder / f"{name}.py").write_text(block)
    return name


@pytest.fixture
def digits(tmp_path: Path):
    clients = miniature.photographs((8, 8, 1), 10, (3,))
    return miniature.write(tmp_path / "digits", miniature.images(8, 8, 1), {"train": clients})


def test_every_task_of_the_papers_and_every_embedded_one_is_listed():
    assert set(known_tasks.names()) >= NAMES
    table = known_tasks.describe()
    for name in known_tasks.names():
        assert any(line.startswith(name + " ") for line in table.splitlines())


def test_every_listed_model_exists_and_is_of_the_tasks_kind():
    for name in known_tasks.names():
        definition = known_tasks.get(name)
        for choice in definition.models:
            if choice.build is not None:
                continue  # built outside the known models
            assert choice.name in known_models.names(), (name, choice.name)
            assert known_models.get(choice.name).kind == definition.kind


def test_listing_the_tasks_does_not_import_tensorflow():
    code = (
        "import sys; from fed_pretrain.tasks import known_tasks; known_tasks.describe(); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    root = Path(known_tasks.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_a_users_module_adds_a_task_with_a_screen_of_code(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(known_tasks.KNOWN, "registered", {})
    plugins.load((readme_module("my_flowers", tmp_path),))
    assert "flowers" in known_tasks.describe()
    clients = miniature.photographs((16, 16, 3), 2, (4,))
    dataset = miniature.write(
        tmp_path / "data", miniature.images(16, 16, 3), {"train": clients}, ["rose", "tulip"]
    )
    task = known_tasks.load("flowers", dataset)
    assert task.label_names == ("rose", "tulip")
    assert task.build_model().output_shape == (None, 2)


def test_a_users_module_adds_a_model_that_any_task_of_its_kind_can_train(
    digits, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(known_models.KNOWN, "registered", dict(known_models.KNOWN.registered))
    plugins.load((readme_module("my_model", tmp_path),))
    task = known_tasks.load("digits", digits, "mine")
    assert task.model_name == "mine"
    assert task.build_model().output_shape == (None, 10)


def test_a_keras_application_takes_a_small_grey_task_in_colour_and_larger(digits):
    task = known_tasks.load("digits", digits, "keras:MobileNetV2")
    model = task.build_model()
    assert model.input_shape == (None, 8, 8, 1)
    assert model.get_layer("Conv1").input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 10)


def test_a_model_of_another_kind_is_refused(digits):
    with pytest.raises(UserError, match=r"--model=word_lstm reads texts.*holds images"):
        known_tasks.load("digits", digits, "word_lstm")


def test_unknown_names_are_refused_with_the_known_ones(digits):
    with pytest.raises(UserError, match=r"--task=digit is not one of .*did you mean 'digits'"):
        known_tasks.load("digit", digits)
    with pytest.raises(UserError, match=r"--model is 'resnet'.*edge_cnn"):
        known_tasks.load("digits", digits, "resnet")
    with pytest.raises(UserError, match="--plugin=no_such_module cannot be imported"):
        plugins.load(["no_such_module"])


def test_a_taken_name_is_refused():
    changed = known_tasks.get("digits")
    assert known_tasks.register(changed) is changed
    other = type(changed)(**{**vars(changed), "title": "other"})
    with pytest.raises(UserError, match="already a task named 'digits'"):
        known_tasks.register(other)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (
            (FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64")),
            r"field 'image' is image \[28, 28, 1\] in the dataset, the task expects image \[8",
        ),
        (
            (FeatureSpec("image", "float32", (8, 8, 1)), FeatureSpec("label", "int64")),
            r"field 'image' is float32 \[8, 8, 1\]",
        ),
        (
            (FeatureSpec("text", "text"),),
            r"no field 'image'; the dataset has text: text \[\], the task expects image: image",
        ),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused_naming_both_specs(tmp_path, features, says):
    dataset = miniature.write(tmp_path, features, {"train": {}})
    with pytest.raises(UserError, match=says) as caught:
        known_tasks.load("digits", dataset)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (
            (FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64")),
            r"; it fits --task=[a-z0-9_, ]*femnist",
        ),
        ((FeatureSpec("sound", "float32", (9,)),), r"; no task takes such a dataset, docs/"),
    ],
)
def test_a_dataset_of_another_task_is_refused_with_the_tasks_that_take_it(tmp_path, features, says):
    dataset = miniature.write(tmp_path, features, {"train": {}})
    with pytest.raises(UserError, match=says):
        known_tasks.load("digits", dataset)


def test_a_dataset_with_other_classes_is_refused(tmp_path):
    clients = miniature.photographs((8, 8, 1), 2, (3,))
    dataset = miniature.write(tmp_path, miniature.images(8, 8, 1), {"train": clients}, ["a", "b"])
    with pytest.raises(UserError, match=r"field 'label' has 2 classes.*expects 10"):
        known_tasks.load("digits", dataset)
