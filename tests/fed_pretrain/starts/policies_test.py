"""Head, BatchNorm, freezing, quality: what is taken from a file, and what is refused."""

import dataclasses
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.starts import labels
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.task import Task
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.starts.small_tasks import ids_task, image_task, resolve, values

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (4, 16, 16, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def task() -> Task:
    return image_task("edge_cnn", 16, 1)


def _saved(folder: Path, arrays: Mapping[str, np.ndarray], name: str = "file.npz") -> str:
    np.savez(folder / name, **arrays)
    return f"checkpoint:{folder / name}"


def _statuses(start: Start) -> dict[str, str]:
    return {row.name: row.status for row in start.report.rows if row.in_model}


def test_a_random_start_is_a_function_of_the_seed_and_of_each_weights_name(task: Task) -> None:
    first, again, other = (values(resolve(task, seed=seed)) for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["conv1/kernel"], other["conv1/kernel"])
    wider = values(resolve(image_task("edge_cnn", 16, 1, classes=20), seed=1))
    np.testing.assert_array_equal(wider["conv2/kernel"], first["conv2/kernel"])
    assert abs(first["conv1/kernel"].mean()) < 0.05 < first["conv1/kernel"].std()


def test_an_lstm_starts_with_its_forget_gate_open() -> None:
    start = values(resolve(ids_task("word_lstm", 12, embedding=4, units=3)))
    np.testing.assert_array_equal(start["lstm/bias"], [0, 0, 0, 1, 1, 1] + [0] * 6)


def test_a_new_head_leaves_the_body_and_is_the_same_for_every_file(
    task: Task, tmp_path: Path
) -> None:
    file = values(resolve(image_task("edge_cnn", 16, 1, classes=37), seed=5))
    start = resolve(task, _saved(tmp_path, file), seed=1)
    np.testing.assert_array_equal(values(start)["conv2/kernel"], file["conv2/kernel"])
    np.testing.assert_array_equal(
        values(start)["head/kernel"], values(resolve(task, seed=1))["head/kernel"]
    )
    assert _statuses(start)["head/kernel"] == "re-initialised"
    assert {row.name for row in start.report.rows if row.status == "unused"} == {
        "head/kernel",
        "head/bias",
    }


def test_a_kept_head_may_be_wider_than_the_task(task: Task, tmp_path: Path) -> None:
    """The paper's SqueezeNet keeps the 1000 outputs of ImageNet."""
    file = values(resolve(image_task("edge_cnn", 16, 1, classes=37), seed=5))
    start = resolve(task, _saved(tmp_path, file), head="keep")
    assert start.model()(PIXELS).shape == (4, 37)
    narrow = values(resolve(image_task("edge_cnn", 16, 1, classes=7), seed=5))
    with pytest.raises(UserError, match="7 classes, the task has 10"):
        resolve(task, _saved(tmp_path, narrow), head="keep")


def test_a_head_is_cut_by_the_users_class_map(tmp_path: Path) -> None:
    file = values(resolve(image_task("edge_cnn", 16, 1, classes=5), seed=5))
    (tmp_path / "classes.json").write_text(json.dumps({"owl": 3, "cat": 0, "dog": 1}))
    task = image_task("edge_cnn", 16, 1, classes=("cat", "owl"))
    start = resolve(
        task,
        _saved(tmp_path, file),
        head="slice",
        head_classes=str(tmp_path / "classes.json"),
    )
    np.testing.assert_array_equal(values(start)["head/kernel"], file["head/kernel"][:, [0, 3]])
    np.testing.assert_array_equal(values(start)["head/bias"], file["head/bias"][[0, 3]])


def test_a_language_model_keeps_its_head_and_a_classifier_does_not(tmp_path: Path) -> None:
    words = ids_task("word_lstm", 12, embedding=4, units=3)
    file = _saved(tmp_path, values(resolve(words, seed=5)))
    assert resolve(words, file).report.counts() == {"matched": 8}
    topics = ids_task("word_bag", 12, classes=3, embedding=4)
    file = _saved(tmp_path, values(resolve(topics, seed=5)))
    assert _statuses(resolve(topics, file))["head/kernel"] == "re-initialised"


def test_auto_keeps_a_head_whose_classes_are_named_as_the_tasks_are(tmp_path: Path) -> None:
    task = image_task("edge_cnn", 16, 1, classes=("cat", "dog"))
    arrays = values(resolve(task, seed=5))
    for names, kept in (
        (["cat", "dog"], True),
        (["dog", "cat"], False),
        (["cat", "dog", "owl"], False),
        ([], False),
    ):
        file = _saved(tmp_path, arrays | {"labels": np.array(names, np.str_)})
        status = _statuses(resolve(task, file))["head/kernel"]
        assert status == ("matched" if kept else "re-initialised")


def test_without_names_the_task_decides_whether_a_head_is_kept() -> None:
    topics = ids_task("word_bag", 12, classes=3, embedding=4)
    facts = {"task": topics.name, "num_classes": 3, "label_names": None}
    assert labels.same(topics, facts)
    assert not labels.same(topics, facts | {"task": "another"})
    assert not labels.same(topics, facts | {"num_classes": 4})
    assert not labels.same(topics, {})


def test_a_renamed_layer_is_refused_by_name_and_starts_when_allowed(
    task: Task, tmp_path: Path
) -> None:
    file = values(resolve(task, seed=5))
    file["convolution2/kernel"] = file.pop("conv2/kernel")
    spec = _saved(tmp_path, file)
    with pytest.raises(UserError, match=r"1 missing.*conv2/kernel.*1 unused.*convolution2/kernel"):
        resolve(task, spec)
    start = resolve(task, spec, allow_partial=True)
    assert _statuses(start)["conv2/kernel"] == "missing"
    np.testing.assert_array_equal(
        values(start)["conv2/kernel"], values(resolve(task, seed=1))["conv2/kernel"]
    )


def test_another_shape_is_refused_with_both_shapes(task: Task, tmp_path: Path) -> None:
    file = values(resolve(task, seed=5))
    file["conv1/kernel"] = np.zeros((5, 5, 3, 16), np.float32)
    with pytest.raises(UserError, match=r"conv1/kernel: model 5x5x1x16, the file has 5x5x3x16"):
        resolve(task, _saved(tmp_path, file))


def test_weights_that_are_not_numbers_are_refused(task: Task, tmp_path: Path) -> None:
    file = values(resolve(task, seed=5))
    file["conv1/bias"] = np.full_like(file["conv1/bias"], np.nan)
    with pytest.raises(UserError, match=r"'conv1/bias'.*not finite"):
        resolve(task, _saved(tmp_path, file))


@pytest.mark.parametrize(
    ("rule", "training"),
    [
        ("all", {"conv1", "conv2", "head"}),
        ("head", {"head"}),
        ("last_2", {"conv2", "head"}),
        ("regex:^conv", {"conv1", "conv2"}),
    ],
)
def test_only_what_trains_is_trainable_and_the_rest_is_counted_as_frozen(
    rule: str, training: set[str], task: Task
) -> None:
    start = resolve(task, trainable=rule)
    assert {name.split("/")[0] for name in start.names[0]} == training
    model = start.model()
    assert [v.shape for v in model.non_trainable_variables] == [v.shape for v in start.weights[1]]
    assert start.report.trainable_bytes == sum(value.nbytes for value in start.weights[0])
    assert start.report.frozen_bytes == sum(value.nbytes for value in start.weights[1])
    whole = resolve(task)
    assert start.digest != whole.digest or rule == "all"
    for name, value in values(start).items():
        np.testing.assert_array_equal(value, values(whole)[name])


def test_biases_and_the_head_train_and_the_other_weights_stay(task: Task) -> None:
    start, whole = resolve(task, trainable="bias"), values(resolve(task))
    assert set(start.names[0]) == {"conv1/bias", "conv2/bias", "head/kernel", "head/bias"}
    model = start.model()
    assert [v.shape for v in model.trainable_variables] == [v.shape for v in start.weights[0]]
    assert [v.shape for v in model.non_trainable_variables] == [v.shape for v in start.weights[1]]
    for name, value in values(start).items():
        np.testing.assert_array_equal(value, whole[name])


def test_a_changed_frozen_tensor_is_named(task: Task) -> None:
    start = resolve(task, trainable="head")
    now = [value.copy() for value in start.weights[1]]
    assert start.changed_frozen(now) == []
    now[0].flat[0] += 1e-7
    assert start.changed_frozen(now) == [start.names[1][0]]


@pytest.mark.parametrize("rule", ["top", "last_0", "last_9", "regex:(", "regex:^nothing$"])
def test_a_rule_that_freezes_nothing_known_is_refused(rule: str, task: Task) -> None:
    with pytest.raises(UserError, match="--trainable"):
        resolve(task, trainable=rule)


def _batch_norm_file(folder: Path) -> tuple[str, tf.keras.Model, np.ndarray]:
    """A small VGG with BatchNorm whose statistics are not those of a fresh one."""
    task = image_task("vgg11", 32, 3, arguments={"norm": "batch"})
    model = resolve(task, seed=5, batch_norm="keep", bn_statistics="local").model()
    for variable in model.weights:
        if "moving_" in variable.name or "gamma" in variable.name:
            variable.assign(0.5 + RNG.random(variable.shape).astype(np.float32))
    x = RNG.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    model.save_weights(folder / "vgg.h5")
    return f"checkpoint:{folder / 'vgg.h5'}", model, x


@pytest.fixture(scope="module")
def batch_norm_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, tf.keras.Model, np.ndarray]:
    return _batch_norm_file(tmp_path_factory.mktemp("vgg"))


@pytest.fixture(scope="module")
def vgg() -> Task:
    return image_task("vgg11", 32, 3, arguments={"norm": "batch"})


def test_batch_norm_kept_with_frozen_statistics_never_looks_at_the_batch(
    vgg: Task, batch_norm_file: tuple[str, tf.keras.Model, np.ndarray]
) -> None:
    spec, original, x = batch_norm_file
    start = resolve(vgg, spec, head="keep", batch_norm="keep")
    model = start.model()
    expected = original(x, training=False)
    np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-4, atol=1e-4)
    assert {name.rsplit("/", 1)[1] for name in start.names[1]} == {"moving_mean", "moving_variance"}
    assert all(f"features_0_norm/{part}" in start.names[0] for part in ("gamma", "beta"))
    assert start.changed_frozen([v.numpy() for v in model.non_trainable_variables]) == []


def test_batch_norm_folds_into_the_convolution_before(
    vgg: Task, batch_norm_file: tuple[str, tf.keras.Model, np.ndarray]
) -> None:
    spec, original, x = batch_norm_file
    start = resolve(vgg, spec, head="keep", batch_norm="fold")
    assert start.names[1] == []
    assert not any("norm" in name for name in start.names[0])
    expected = original(x, training=False)
    np.testing.assert_allclose(start.model()(x), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("affine", ["carry", "fresh"])
def test_batch_norm_becomes_group_norm_and_convolutions_stay(
    affine: str, vgg: Task, batch_norm_file: tuple[str, tf.keras.Model, np.ndarray]
) -> None:
    spec, original, x = batch_norm_file
    start = resolve(vgg, spec, head="keep", batch_norm="group_norm", group_norm_affine=affine)
    model = start.model()
    norm = model.get_layer("features_0_norm")
    assert isinstance(norm, tf.keras.layers.GroupNormalization)
    assert norm.groups == 32
    assert start.names[1] == []
    theirs = original.get_layer("features_0_norm").gamma.numpy()
    expected = theirs if affine == "carry" else np.ones_like(theirs)
    np.testing.assert_array_equal(norm.gamma.numpy(), expected)
    np.testing.assert_array_equal(
        model.get_layer("features_3").kernel.numpy(),
        original.get_layer("features_3").kernel.numpy(),
    )
    assert np.all(np.isfinite(model(x)))


@pytest.mark.parametrize("groups", [1, 4])
def test_a_model_with_group_norm_of_its_own_takes_the_groups_asked_for(groups: int) -> None:
    start = resolve(image_task("resnet8", 8), group_norm_groups=groups)
    assert start.model().get_layer("bn1").groups == groups


def test_plain_trainable_batch_norm_comes_with_a_warning_about_its_statistics(
    vgg: Task, batch_norm_file: tuple[str, tf.keras.Model, np.ndarray]
) -> None:
    start = resolve(vgg, batch_norm_file[0], batch_norm="keep", bn_statistics="local")
    assert "statistics of the start for ever" in start.report.warnings[0]
    assert "warning: --batch_norm=keep" in start.report.table()


def test_averaged_statistics_are_named_for_the_round_to_average(vgg: Task) -> None:
    start = resolve(vgg, batch_norm="keep", bn_statistics="average")
    assert set(start.averaged) == {name for name in start.names[1] if "/moving_" in name}
    assert len(start.averaged) == 16
    moved = [value + 1 for value in start.weights[1]]
    assert start.changed_frozen(moved) == []
    assert "fit no client exactly" in start.report.warnings[0]
    frozen = resolve(vgg, batch_norm="keep", bn_statistics="average", trainable="head")
    assert frozen.averaged == ()


def test_noise_moves_every_tensor_by_its_share_of_the_tensors_size(task: Task) -> None:
    plain, noisy = values(resolve(task)), values(resolve(task, noise=0.2))
    kernel = plain["conv2/kernel"]
    moved = np.sqrt(np.mean((noisy["conv2/kernel"] - kernel) ** 2))
    assert moved / np.sqrt(np.mean(kernel**2)) == pytest.approx(0.2, rel=0.05)
    assert resolve(task, noise=0.2).digest == resolve(task, noise=0.2).digest


def test_a_blend_goes_in_a_straight_line_from_the_start_to_the_other(
    task: Task, tmp_path: Path
) -> None:
    spec = _saved(tmp_path, values(resolve(task, seed=5)))
    mine = values(resolve(task, spec, head="keep"))
    other = values(resolve(task))
    for share in (0.0, 0.25, 1.0):
        mixed = values(resolve(task, spec, head="keep", blend=f"random:{share}"))
        for name, value in mixed.items():
            expected = (1 - share) * mine[name] + share * other[name]
            np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("blend", ["random", "random:2", "random:x", ":0.5"])
def test_a_blend_without_a_share_between_0_and_1_is_refused(blend: str) -> None:
    with pytest.raises(UserError, match="--start_blend"):
        StartConfig(blend=blend)


def test_a_recipe_pickles_and_builds_the_same_structure(task: Task) -> None:
    start = resolve(task, trainable="head")
    model = pickle.loads(pickle.dumps(start.build_model))()
    assert [v.shape for v in model.trainable_variables] == [v.shape for v in start.weights[0]]
    assert start.model()(PIXELS).shape == (4, 10)


def test_the_users_preprocessing_wins_over_the_files_with_a_warning() -> None:
    task = image_task("squeezenet1_1", 64)
    assert resolve(task, "package:ndf").preprocessing == "imagenet_bgr_means"
    told = dataclasses.replace(task, options=TaskOptions(preprocessing="unit"))
    start = resolve(told, "package:ndf")
    assert start.preprocessing == "unit"
    assert "trained with imagenet_bgr_means" in start.report.warnings[0]


@pytest.mark.parametrize(("trained", "swapped"), [("inverted", True), ("unit", False)])
def test_weights_that_swap_light_and_dark_of_themselves_say_so(
    trained: str, swapped: bool, tmp_path: Path
) -> None:
    task = image_task("edge_cnn", 16, 1)
    arrays = {f"model/trainable/{name}": v for name, v in values(resolve(task, seed=5)).items()}
    array_file.save(tmp_path / "start.ckpt", {"preprocessing": trained}, arrays)
    spec = f"checkpoint:{tmp_path / 'start.ckpt'}"
    assert ["swapped" in text for text in resolve(task, spec).report.warnings] == [True] * swapped
    told = dataclasses.replace(task, options=TaskOptions(preprocessing="inverted"))
    assert "swapped" not in "".join(resolve(told, spec).report.warnings)


def test_start_json_says_of_every_tensor_what_became_of_it(task: Task, tmp_path: Path) -> None:
    start = resolve(task, _saved(tmp_path, values(resolve(task, seed=5))), trainable="head")
    told = json.loads(json.dumps(start.report.as_json()))
    assert told["counts"] == {"matched": 4, "re-initialised": 2, "unused": 2}
    rows = {(row["name"], row["status"]): row for row in told["tensors"]}
    conv = rows["conv1/kernel", "matched"]
    assert conv["frozen"] is True
    assert conv["shape"] == [5, 5, 1, 16]
    assert conv["bytes"] == 1600
    assert rows["head/kernel", "re-initialised"]["why"] == "new head, GlorotUniform"
    assert told["format"] == "NumPy archive"
    assert len(told["file_sha256"]) == 64


@pytest.mark.parametrize(
    "spec", ["checkpoint", "nonsense", "package:", "hub:a/b/c", "hub:torchvision/resnet9"]
)
def test_a_start_that_names_nothing_is_refused(spec: str, task: Task) -> None:
    with pytest.raises(UserError, match="--start"):
        resolve(task, spec)


def test_hub_files_are_found_in_the_users_folder(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.numpy

    monkeypatch.setenv("FED_PRETRAIN_HUB", str(tmp_path))
    (tmp_path / "me" / "digits").mkdir(parents=True)
    arrays = {
        name.replace("/", "."): array for name, array in values(resolve(task, seed=5)).items()
    }
    arrays = {n: np.ascontiguousarray(a) for n, a in arrays.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "me" / "digits" / "model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors: no tensor fits"):
        resolve(task, "hub:me/digits")
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(b"half a download")
    with pytest.raises(UserError, match="is damaged"):
        resolve(task, "hub:torchvision/resnet18")


def test_keras_weights_fit_only_their_own_model(task: Task) -> None:
    with pytest.raises(UserError, match="fits --model=keras:MobileNetV2 only"):
        resolve(task, "keras:MobileNetV2")
    with pytest.raises(UserError, match="is not one of"):
        resolve(task, "keras:NoSuchNet")
