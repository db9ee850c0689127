"""A Keras file gives its architecture and runs nothing."""

import json
import zipfile

import h5py
import pytest
import tensorflow as tf

from fed_pretrain.models.attention import gelu_tanh
from fed_pretrain.tasks import keras_file
from groundwork.errors import UserError

layers = tf.keras.layers


def saved(path, *more):
    row = tf.keras.Input((3,), name="row")
    x = layers.Dense(4, activation="relu", name="hidden")(row)
    for layer in more:
        x = layer(x)
    model = tf.keras.Model(row, layers.Dense(2, name="head")(x))
    model.save(path)
    return model


@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
def test_a_file_gives_the_architecture_that_was_saved(tmp_path, name):
    path = tmp_path / name
    model = saved(path, layers.BatchNormalization(), layers.Dropout(0.1))
    assert keras_file.read(path).get_config() == model.get_config()


@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
def test_a_lambda_is_refused_and_does_not_run(tmp_path, name):
    trace = tmp_path / "ran"
    path = tmp_path / name
    saved(path, layers.Lambda(lambda x, place=str(trace): (open(place, "w").close(), x)[1]))
    trace.unlink()
    with pytest.raises(UserError, match=r"its part 'Lambda' .* could run code"):
        keras_file.read(path)
    assert not trace.exists()


def test_a_class_of_another_module_is_refused_and_not_imported(tmp_path):
    hostile = {
        "module": "antigravity",
        "class_name": "Layer",
        "config": {},
        "registered_name": None,
    }
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [hostile]}}
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(UserError, match="of the module 'antigravity' is neither"):
        keras_file.read(tmp_path / "a.keras")


def layer_file(path, part):
    """A file whose only layer is a made-up part, called with a text and no tensor."""
    texts = [["_CONSTANT_VALUE", -1, str(path.parent / "made"), {"kwargs": {}}]]
    row = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "row"}}
    nodes = {"name": "evil", "inbound_nodes": [texts]}
    config = {
        "name": "net",
        "layers": [{**row, "name": "row", "inbound_nodes": []}, {**part, **nodes}],
        "input_layers": [["row", 0, 0]],
        "output_layers": [["row", 0, 0]],
    }
    with zipfile.ZipFile(path, "w") as archive:
        described = {"module": "keras", "class_name": "Functional", "config": config}
        archive.writestr("config.json", json.dumps(described))
    return path


OPS = "tf_keras.src.layers.core.tf_op_layer"
CALL = {"name": "evil", "cls_symbol": "io.gfile.makedirs", "method_name": "__call__"}


@pytest.mark.parametrize(
    "part",
    [
        {"module": OPS, "class_name": "ClassMethod", "config": CALL},
        {"module": OPS, "class_name": "InstanceMethod", "config": {"attr_name": "__reduce__"}},
        {"module": "tf_keras.src.layers.core", "class_name": "tf_op_layer.TFOpLambda"},
        {"module": "keras", "class_name": "layers.Lambda"},
        {"module": "antigravity", "class_name": "X", "registered_name": "fed_pretrain>X"},
        {"module": OPS, "class_name": "__typespec__", "spec_name": "TFOpLambda"},
        {"module": "keras.layers", "class_name": ["Dense"]},
        {"module": ["keras"], "class_name": "Dense"},
    ],
    ids=lambda part: str(part["class_name"]),
)
def test_a_part_that_calls_what_a_file_names_is_refused_and_not_built(tmp_path, part, monkeypatch):
    monkeypatch.setattr(tf.keras.models, "model_from_json", None)
    with pytest.raises(UserError, match="neither a plain Keras layer nor one of ours"):
        keras_file.read(layer_file(tmp_path / "a.keras", {"config": {}, **part}))
    assert not (tmp_path / "made").exists()


def test_how_a_model_was_compiled_is_not_read(tmp_path):
    path = tmp_path / "a.keras"
    model = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(2)])
    model.compile(tf.keras.optimizers.Adam(1e-3), "mse", metrics=[tf.keras.metrics.AUC()])
    model.save(path)
    assert keras_file.read(path).get_config() == model.get_config()


def changed(path, **config):
    """A sound file whose first layer says something else."""
    described = json.loads(saved(path).to_json())
    described["config"]["layers"][1]["config"] |= config
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(described))
    return path


def test_a_function_that_is_not_of_keras_is_refused_and_not_called(tmp_path):
    function = {"module": "builtins", "class_name": "function", "config": "exit"}
    path = changed(tmp_path / "a.keras", activation={**function, "registered_name": "function"})
    with pytest.raises(
        UserError, match="names the function 'exit', which is neither Keras' own nor ours"
    ):
        keras_file.read(path)


def test_the_function_of_our_transformers_is_built(tmp_path):
    model = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(2, activation=gelu_tanh)])
    model.save(tmp_path / "a.keras")
    assert keras_file.read(tmp_path / "a.keras").layers[-1].activation is gelu_tanh


def test_a_model_larger_than_this_machine_is_refused_before_it_is_made(tmp_path):
    path = changed(tmp_path / "a.keras", units=10**12)
    with pytest.raises(UserError, match=r"its weights take 24,000 GB, more than this machine has"):
        keras_file.read(path)


def test_a_layer_that_reads_another_file_is_refused(tmp_path):
    path = tmp_path / "a.keras"
    words = {"class_name": "StringLookup", "config": {"name": "x", "vocabulary": "/etc/passwd"}}
    with zipfile.ZipFile(path, "w") as archive:
        config = {"class_name": "Sequential", "config": {"layers": [words]}}
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(UserError, match="its StringLookup reads the words of another file"):
        keras_file.read(path)


def test_a_name_without_end_is_not_quoted_to_its_end(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "9" * 5000}))
    with pytest.raises(UserError) as refusal:
        keras_file.read(tmp_path / "a.keras")
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "description",
    [["{}"] * 3, 4.0, h5py.Empty("S1"), "{}" * (5 << 20)],
    ids=["texts", "number", "nothing", "long"],
)
def test_a_description_that_is_not_one_short_text_is_refused(tmp_path, description):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = description
    with pytest.raises(UserError, match="its description is"):
        keras_file.read(tmp_path / "a.h5")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut"])
def test_what_is_no_keras_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.keras"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a Keras file of a model"):
        keras_file.read(path)
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["w"] = [1.0]
    with pytest.raises(UserError, match="is not a Keras file of a model"):
        keras_file.read(tmp_path / "weights.h5")
