"""Every task on miniature data: it builds, it trains, and its model reads raw rows."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_prep.store.features import FeatureSpec
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import batch_at
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import ModelChoice, TaskDefinition, TaskOptions
from fed_pretrain.tasks.encoders.images import LabelledVectors, expected_vectors
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature

IMAGE_TASKS = {
    "digits": (8, 8, 1),
    "mnist5k": (28, 28, 1),
    "fashion_mnist": (28, 28, 1),
    "femnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "tiny_imagenet": (64, 64, 3),
    "images": (20, 24, 3),
}
CLASSES = {"femnist": 62, "tiny_imagenet": 200}
SENTENCES = ("the cat sat on the mat", "a dog don't run", "the end", "of the dog and the cat")
WORDS = ("the", "cat", "dog", "of", "and", "a", "do", "n't")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("vocabulary") / "words.txt"
    file.write_text("\n".join(WORDS))
    return file


@pytest.fixture(scope="module")
def byte_pairs(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("byte_pairs")
    pieces = ["<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz'", "Ġ", "th", "the"]
    (folder / "vocab.json").write_text(json.dumps({p: n for n, p in enumerate(pieces)}))
    (folder / "merges.txt").write_text("t h\nth e\n")
    return folder / "vocab.json", folder / "merges.txt"


def image_task(folder: Path, name: str, model: str | None = None, **options):
    shape = IMAGE_TASKS[name]
    classes = CLASSES.get(name, 10)
    names = [f"class {number}" for number in range(classes)]
    splits = {"train": miniature.photographs(shape, classes, (6,))}
    dataset = miniature.write(folder, miniature.images(*shape), splits, names)
    return known_tasks.load(name, dataset, model, TaskOptions(**options))


def text_task(folder: Path, name: str, model: str | None = None, **options):
    features = miniature.TEXT
    clients = miniature.texts(SENTENCES)
    if name == "chitchat_prompt":
        features = (*features, FeatureSpec("prompt", "text"))
        for example in clients["client_0"]:
            example["prompt"] = "Cats?" if "cat" in example["text"] else "Dogs?"
    dataset = miniature.write(folder, features, {"train": clients})
    return known_tasks.load(name, dataset, model, TaskOptions(**options))


def in_front_of_the_body(model: tf.keras.Model, pixels: np.ndarray) -> np.ndarray:
    """What reaches the first convolution."""
    return tf.keras.Model(model.inputs, model.get_layer("conv1").input)(pixels).numpy()


def losses_of_one_step(task, learning_rate: float = 0.01) -> tuple[float, float]:
    """The loss of a client's first batch before and after one small step on it."""
    payload = task.reader("train")("client_0", LocalWork(4), 1, 1)
    spec = task.payload_spec(4)
    for name, value in payload.items():
        assert spec[name].is_compatible_with(tf.constant(value)), name
    x, y = batch_at({name: tf.constant(value) for name, value in payload.items()}, 0)
    model = task.build_model()
    with tf.GradientTape() as tape:
        logits = model(x, training=False)
        loss = task.loss(y, logits)
    assert logits.dtype == tf.float32
    assert logits.shape == (*y.shape, task.num_classes)
    gradients = tape.gradient(loss, model.trainable_variables)
    norm = tf.linalg.global_norm(gradients)
    assert float(norm) > 0
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        variable.assign_sub(learning_rate * tf.convert_to_tensor(gradient) / norm)
    return float(loss), float(task.loss(y, model(x, training=False)))


@pytest.mark.parametrize("name", IMAGE_TASKS)
def test_each_image_task_trains_a_step_with_its_first_model(tmp_path, name):
    task = image_task(tmp_path, name)
    before, after = losses_of_one_step(task)
    assert after < before
    assert task.kind == "image"
    assert task.payload_spec(4)["x"].dtype == tf.uint8


def test_text_tasks_train_a_step_with_character_models(tmp_path):
    for name in ("chitchat", "shakespeare", "reddit_char", "stackoverflow_char"):
        before, after = losses_of_one_step(text_task(tmp_path / name, name))
        assert after < before
    before, after = losses_of_one_step(text_task(tmp_path / "places", "chitchat", "char_cnn"))
    assert after < before


@pytest.mark.parametrize("model", ["word_lstm", "char_cnn_lm"])
@pytest.mark.parametrize("name", ["stackoverflow", "reddit", "chitchat"])
def test_text_tasks_train_a_step_with_word_models(tmp_path, vocabulary, name, model):
    task = text_task(tmp_path, name, model, vocabulary=str(vocabulary))
    assert task.num_classes == len(WORDS) + 4
    before, after = losses_of_one_step(task)
    assert after < before


def test_the_prompt_task_trains_a_step_offline_on_hashed_words(tmp_path):
    task = text_task(tmp_path, "chitchat_prompt")
    assert task.label_names == ("Cats?", "Dogs?")
    before, after = losses_of_one_step(task)
    assert after < before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stackoverflow", "reddit"])
def test_text_tasks_train_a_step_with_a_transformer(tmp_path, byte_pairs, name):
    vocabulary, merges = map(str, byte_pairs)
    task = text_task(tmp_path, name, "distilgpt2", vocabulary=vocabulary, merges=merges)
    before, after = losses_of_one_step(task)
    assert after < before


@pytest.mark.slow
def test_each_listed_image_model_trains_a_step_on_each_task(tmp_path):
    for name in IMAGE_TASKS:
        for choice in known_tasks.get(name).models[1:]:
            task = image_task(tmp_path / name / choice.name, name, choice.name)
            before, after = losses_of_one_step(task, 1e-3)
            assert after < before, (name, choice.name)


def test_the_model_is_flat_and_starts_at_the_stored_pixels(tmp_path):
    task = image_task(tmp_path, "digits", "squeezenet1_1", preprocessing="imagenet_bgr_means")
    model = task.build_model()
    assert model.input_shape == (None, 8, 8, 1)
    assert model.inputs[0].dtype == tf.uint8
    assert not any(isinstance(layer, tf.keras.Model) for layer in model.layers)
    assert model.get_layer("conv1").input_shape == (None, 32, 32, 3)


def test_size_colour_and_normalisation_equal_a_plain_reading(tmp_path):
    task = image_task(tmp_path, "digits", "squeezenet1_1", preprocessing="imagenet_bgr_means")
    model = task.build_model()
    x = task.reader("train").rows("client_0")[0]
    resized = tf.image.resize(x, (32, 32), method="bilinear").numpy()
    expected = resized.repeat(3, axis=-1) - np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(in_front_of_the_body(model, x), expected, atol=1e-3)


def test_the_input_size_and_the_preprocessing_follow_the_options_else_the_model(tmp_path):
    task = image_task(tmp_path / "a", "femnist", "squeezenet1_1")
    assert (task.input_size, task.preprocessing) == (32, "mnist")
    task = image_task(tmp_path / "b", "femnist", "squeezenet1_1", input_size=40)
    assert task.build_model().get_layer("conv1").input_shape == (None, 40, 40, 3)
    changed = task.with_preprocessing("unit")
    assert (changed.preprocessing, task.preprocessing) == ("unit", "mnist")
    pixels = task.reader("train").rows("client_0")[0]
    seen = in_front_of_the_body(changed.build_model(), pixels)
    np.testing.assert_array_equal(
        in_front_of_the_body(task.build_model(preprocessing="unit"), pixels), seen
    )
    assert not np.allclose(in_front_of_the_body(task.build_model(), pixels), seen)


def test_a_margin_frames_the_image_with_empty_paper(tmp_path):
    task = image_task(tmp_path, "digits", "edge_cnn", input_margin=4)
    x = task.reader("train").rows("client_0")[0]
    resized = tf.image.resize(x, (20, 20), method="bilinear").numpy()
    expected = np.full((len(x), 28, 28, 1), 255.0, np.float32)
    expected[:, 4:24, 4:24] = resized
    np.testing.assert_allclose(
        in_front_of_the_body(task.build_model(), x), expected / 255, atol=1e-5
    )


def test_a_margin_that_leaves_no_pixel_is_refused(tmp_path):
    task = image_task(tmp_path, "digits", "edge_cnn", input_margin=14)
    with pytest.raises(UserError, match="--input_margin=14 leaves nothing of images of 28"):
        task.build_model()


@pytest.mark.parametrize(("background", "inverted"), [(0, True), (255, False)])
def test_light_on_dark_is_inverted_for_a_task_that_is_dark_on_light(tmp_path, background, inverted):
    clients = miniature.photographs((28, 28, 1), 10, (2,))
    dataset = miniature.write(
        tmp_path,
        miniature.images(28, 28, 1),
        {"train": clients},
        extra={"background": background},
    )
    task = known_tasks.load("mnist5k", dataset)
    pixels = task.reader("train").rows("client_0")[0]
    seen = in_front_of_the_body(task.build_model(), pixels)
    expected = pixels.astype(np.float32) / 255
    np.testing.assert_allclose(seen, 1 - expected if inverted else expected, atol=1e-6)


def test_tiny_imagenet_names_its_classes_by_wordnet_id_where_the_manifest_does(tmp_path):
    wnids = [f"n{number:08d}" for number in range(200)]
    dataset = miniature.write(
        tmp_path,
        miniature.images(64, 64, 3),
        {"train": {}},
        ["goldfish"] * 200,
        extra={"wnids": wnids},
    )
    assert known_tasks.load("tiny_imagenet", dataset).label_names == tuple(wnids)


def test_the_classes_of_a_head_can_be_others_than_the_tasks(tmp_path):
    task = image_task(tmp_path, "digits")
    assert task.build_model(num_classes=1000).output_shape == (None, 1000)


def test_a_task_travels_by_pickle(tmp_path):
    task = image_task(tmp_path, "digits")
    float(task.loss(tf.constant([1]), tf.zeros([1, 10])))
    again = pickle.loads(pickle.dumps(task))
    assert again.name == "digits"
    np.testing.assert_array_equal(
        again.reader("train").rows("client_0")[0], task.reader("train").rows("client_0")[0]
    )
    assert again.build_model().count_params() == task.build_model().count_params()


def test_tff_takes_the_model_with_the_tasks_loss(tmp_path):
    task = image_task(tmp_path, "digits")
    model = task.model_fn()()
    x, y = task.reader("train").rows("client_0")
    y = np.where(np.arange(len(y)) < 2, -1, y)
    output = model.forward_pass({"x": tf.constant(x), "y": tf.constant(y)}, training=False)
    expected = task.loss(tf.constant(y), output.predictions)
    np.testing.assert_allclose(output.loss, expected, rtol=1e-6)
    assert model.input_spec == task.batch_spec()


def dense_model(task, num_classes):
    x = tf.keras.Input(task.encoder.x_shape, name="x")
    return tf.keras.Model(x, tf.keras.layers.Dense(num_classes)(x))


def test_a_dense_model_of_a_user_learns_a_vector_task(tmp_path, monkeypatch):
    monkeypatch.setattr(known_tasks.KNOWN, "registered", {})
    known_tasks.register(
        TaskDefinition(
            name="vectors",
            title="the sign of a number",
            kind="vector",
            expects=expected_vectors(2),
            encoder=LabelledVectors(("negative", "positive")),
            models=(ModelChoice("dense"),),
            build=dense_model,
        )
    )
    clients = {"client_0": [{"x": np.float32([i, -i]), "label": int(i > 0)} for i in (-2, -1, 1)]}
    features = (FeatureSpec("x", "float32", (2,)), FeatureSpec("label", "int64"))
    dataset = miniature.write(tmp_path, features, {"train": clients})
    task = known_tasks.load("vectors", dataset)
    before, after = losses_of_one_step(task)
    assert after < before


def test_datasets_of_one_shape_share_what_is_compiled_and_others_do_not(tmp_path):
    def structure(name, dataset_of, task="digits", model=None, **options):
        shape, classes, extra = dataset_of
        splits = {"train": miniature.photographs(shape, classes, (6,), seed=len(name))}
        names = [f"class {number}" for number in range(classes)]
        dataset = miniature.write(
            tmp_path / name, miniature.images(*shape), splits, names, extra=extra
        )
        return known_tasks.load(task, dataset, model, TaskOptions(**options)).structure

    usual = (28, 28, 1), 10, None
    first = structure("a", usual, "images")
    assert structure("other", usual, "images", cache_megabytes=7) == first
    different = [
        structure("size", ((20, 28, 1), 10, None), "images"),
        structure("classes", ((28, 28, 1), 3, None), "images"),
        structure("model", usual, "images", model="small_cnn"),
        structure("side", usual, "images", input_size=32),
        structure("task", usual, "mnist5k"),
        structure("ink", ((28, 28, 1), 62, {"background": 255}), "femnist"),
        structure("light", ((28, 28, 1), 62, {"background": 0}), "femnist"),
    ]
    assert len({first, *different}) == 1 + len(different)
