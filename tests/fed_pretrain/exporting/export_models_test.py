"""Every registered model leaves in every format, and says there what it says here."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.exporting import model_files
from fed_pretrain.models import known_models, preprocessing
from tests.fed_pretrain.models.known_models_test import SMALL

# One of keras.applications stands for all: they are plain Keras layers.
MODELS = (*SMALL, "keras:MobileNetV2")
QUICK = ("linear", "word_bag")


def from_pixels(name):
    """As an image task builds it: raw grey pixels, resized and coloured for ImageNet's models."""
    x = inputs = tf.keras.Input((28, 28, 1), dtype="uint8", name="x")
    x = tf.keras.layers.Rescaling(1.0, name="pixels")(x)
    x = tf.keras.layers.Resizing(32, 32, name="size")(x)
    x = tf.keras.layers.Concatenate(name="colour")([x, x, x])
    x = preprocessing.apply(known_models.get(name).preprocessing, x)
    return known_models.build(name, 10, input_shape=tuple(x.shape[1:]), inputs=x), inputs


def built(name):
    """The model with drawn weights, and a row for it."""
    random = np.random.default_rng(0)
    if known_models.get(name).kind == "image":
        model, inputs = from_pixels(name)
        row = random.integers(0, 256, (1, *inputs.shape[1:]), np.uint8)
    else:
        model = known_models.build(name, 9, **{"vocab_size": 9} | SMALL[name])
        row = random.integers(1, 7, (1, *model.inputs[0].shape[1:]), np.int32)
    for weight in model.trainable_variables:
        weight.assign(random.normal(0, 0.05, weight.shape))
    return model, row


def read_tflite(path, row):
    interpreter = tf.lite.Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def read_savedmodel(path, row):
    loaded = tf.saved_model.load(str(path))
    return loaded.serve(tf.constant(row)).numpy()


def read_keras(path, row):
    return tf.keras.models.load_model(path, compile=False)(row, training=False).numpy()


READERS = {"keras": read_keras, "savedmodel": read_savedmodel, "tflite": read_tflite}


@pytest.mark.parametrize(
    "name",
    [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in MODELS],
)
def test_a_model_says_the_same_in_every_format(name, tmp_path):
    model, row = built(name)
    logits = model(row, training=False).numpy()
    labels = [str(number) for number in range(logits.shape[-1])]
    model_files.save_keras(model_files.portable(model), labels, tmp_path / "final.keras")
    for file_format, read in READERS.items():
        written = model_files.export(
            tmp_path, "final", file_format, tmp_path / f"out.{file_format}"
        )
        again = read(written.path, row)
        np.testing.assert_allclose(again, logits, rtol=1e-3, atol=1e-5, err_msg=file_format)
    written = model_files.export(tmp_path, "final", "npz", tmp_path / "out.npz")
    with np.load(written.path) as arrays:
        assert sorted(arrays["labels"]) == sorted(labels)
        assert len(arrays.files) == 1 + len(model.variables)


def test_a_file_with_layers_of_ours_opens_where_nothing_has_imported_them(tmp_path, monkeypatch):
    model, row = built("word_bag")
    model_files.save_keras(model_files.portable(model), ["yes", "no"], tmp_path / "final.keras")
    monkeypatch.delitem(tf.keras.saving.get_custom_objects(), "fed_pretrain>MeanOfTokens")
    monkeypatch.delitem(sys.modules, "fed_pretrain.models.attention")
    again, _ = model_files.load(tmp_path, "final")
    np.testing.assert_array_equal(again(row), model(row))
