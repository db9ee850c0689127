"""The embedded data and weights: the figures of the weights' own check."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.objective import CrossEntropy
from groundwork import embedded_packages
from tests.fed_pretrain.tasks import miniature

needs_text = pytest.mark.skipif(
    not (embedded_packages.available("chitchat") and embedded_packages.available("textgenrnn")),
    reason="the embedded packages are not unpacked",
)


@pytest.mark.slow
@needs_text
def test_the_embedded_character_model_knows_chat_without_training(tmp_path):
    """First 150 messages of the first conversations: 5,206 windows, 1.63 nats, 55.9 %."""
    conversations = json.loads(embedded_packages.path("chitchat").read_text()).values()
    messages = [m["text"] for c in conversations for turn in c["messages"] for m in turn][:150]
    dataset = miniature.write(tmp_path, miniature.TEXT, {"test": miniature.texts(messages)})
    task = known_tasks.load("chitchat", dataset)
    start = starts.resolve(StartConfig(spec="package:textgenrnn"), task, 0)
    model = start.model()
    x, y = task.reader("test").rows("client_0")
    logits = np.concatenate(
        [model(x[i : i + 512], training=False).numpy() for i in range(0, len(x), 512)]
    )
    everything = CrossEntropy()
    figures = everything.summarise(everything.statistics(tf.constant(y), tf.constant(logits)))
    assert len(y) == 5206
    assert np.all(y > 0)
    assert figures["loss"] == pytest.approx(1.63, abs=0.005)
    assert figures["accuracy"] == pytest.approx(0.559, abs=0.0005)


def photograph_task(folder, model: str, size: int, resampling: Image.Resampling, **options):
    """The 20 ImageNet photographs, each with its class among the 1000."""
    examples = []
    pictures = embedded_packages.path("foolbox") / "foolbox" / "data"
    for file in sorted(pictures.glob("imagenet_*.jpg")):
        picture = Image.open(file).convert("RGB").resize((size, size), resampling)
        label = int(file.stem.split("_")[2])
        examples.append({"image": np.asarray(picture), "label": label})
    assert len(examples) == 20
    dataset = miniature.write(
        folder,
        miniature.images(size, size, 3),
        {"test": {"photographs": examples}},
        [str(number) for number in range(1000)],
    )
    return known_tasks.load("images", dataset, model, TaskOptions(input_size=size, **options))


def hits_of(task, package: str) -> float:
    """How many photographs the package's weights know, head and BatchNorm as published."""
    config = StartConfig(spec=f"package:{package}", head="keep", batch_norm="keep")
    model = starts.resolve(config, task, 0).model()
    x, y = task.reader("test").rows("photographs")
    return float(task.statistics(tf.constant(y), model(x, training=False))["correct"])


@pytest.mark.skipif(
    not (embedded_packages.available("ndf") and embedded_packages.available("foolbox")),
    reason="the embedded packages are not unpacked",
)
@pytest.mark.parametrize(
    ("preprocessing", "hits"),
    [(None, 12), ("unit", 0)],
)
def test_the_embedded_squeezenet_sees_only_with_its_own_preprocessing(
    tmp_path, preprocessing, hits
):
    task = photograph_task(
        tmp_path, "squeezenet1_1", 227, Image.Resampling.BILINEAR, preprocessing=preprocessing
    )
    assert hits_of(task, "ndf") == hits


@pytest.mark.skipif(
    not (
        embedded_packages.available("efficientnet_lite0") and embedded_packages.available("foolbox")
    ),
    reason="the embedded packages are not unpacked",
)
@pytest.mark.slow
def test_the_embedded_efficientnet_knows_17_of_20_photographs(tmp_path):
    task = photograph_task(tmp_path, "efficientnet_lite0", 224, Image.Resampling.BICUBIC)
    assert hits_of(task, "efficientnet_lite0") == 17


@pytest.mark.skipif(not embedded_packages.available("digits"), reason="digits are not there")
def test_the_digits_task_prepares_its_own_dataset(tmp_path):
    definition = known_tasks.get("digits")
    dataset = prepare(PrepareConfig(output=str(tmp_path / "digits"), **definition.prepare))
    task = known_tasks.load("digits", dataset)
    reader = task.reader("train")
    assert len(reader.client_ids) == 14
    x, y = reader.rows("form_00")
    # Empty paper is 255 at the border, as in FEMNIST.
    assert np.median(x[:, :, 0]) == 255
    assert set(y) == set(range(10))


@pytest.mark.parametrize("name", known_tasks.names())
def test_what_a_task_asks_of_data_prep_is_a_valid_request(name):
    wanted = known_tasks.get(name).prepare
    if wanted is not None:
        PrepareConfig(output="somewhere", **wanted)


@needs_text
@pytest.mark.slow
def test_chat_tasks_share_one_dataset_and_find_their_words_and_prompts(tmp_path):
    wanted = known_tasks.get("chitchat").prepare
    assert known_tasks.get("chitchat_prompt").prepare == wanted
    dataset = prepare(PrepareConfig(output=str(tmp_path / "chitchat"), **wanted))
    words = known_tasks.load("chitchat", dataset, "word_lstm")
    assert words.num_classes == 10_004
    covered = counted = 0
    for client_id in words.reader("test").client_ids[:50]:
        y = words.reader("test").rows(client_id)[1]
        covered += np.sum((y > 0) & (y <= 10_000))
        counted += np.sum((y > 0) & (y <= 10_001))
    assert covered / counted > 0.95
    prompts = known_tasks.load("chitchat_prompt", dataset)
    assert prompts.num_classes == 34
    assert all(name.strip() for name in prompts.label_names)
