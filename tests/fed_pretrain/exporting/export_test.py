"""A finished run's model in every format says what the Keras model says."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fed_pretrain.experiment.analysis import calibrated_head
from fed_pretrain.exporting import model_card, model_files, prediction
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.start_config import StartConfig
from groundwork.errors import UserError
from tests.hostile import data_files

ALONE = """
import json, sys, zipfile
import numpy as np
import tensorflow as tf
assert not any(name.startswith(("fed_pretrain", "data_prep")) for name in sys.modules)
model = tf.keras.models.load_model(sys.argv[1])
x = tf.zeros([1, *model.inputs[0].shape[1:]], model.inputs[0].dtype)
labels = json.loads(zipfile.ZipFile(sys.argv[1]).read("labels.json"))
print(json.dumps([np.asarray(model(x)).tolist(), labels]))
"""
RUNS = (
    "digits_run",
    pytest.param("squeezenet_run", marks=pytest.mark.slow),
    pytest.param("shakespeare_run", marks=pytest.mark.slow),
)


@pytest.fixture(params=RUNS)
def run(request):
    return request.getfixturevalue(request.param)


def zeros_and_logits(run):
    model, labels = model_files.load(run, "final")
    x = tf.zeros([1, *model.inputs[0].shape[1:]], model.inputs[0].dtype)
    return x, np.asarray(model(x, training=False)), labels


def test_the_keras_file_opens_with_tensorflow_alone_and_has_its_labels(run, tmp_path):
    _, logits, labels = zeros_and_logits(run)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(run / "final.keras")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    seen, names = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(seen, logits, rtol=1e-5, atol=1e-5)
    assert names == labels
    assert len(names) == logits.shape[-1]


def test_a_savedmodel_gives_the_same_logits(run, tmp_path):
    x, logits, _ = zeros_and_logits(run)
    written = model_files.export(run, "final", "savedmodel", tmp_path / "model")
    loaded = tf.saved_model.load(str(written.path))
    again = loaded.serve(x)
    np.testing.assert_allclose(again, logits, rtol=1e-5, atol=1e-5)
    assert written.bytes > 0
    with pytest.raises(UserError, match="exists already"):
        model_files.export(run, "final", "savedmodel", tmp_path / "model")


def test_a_tflite_model_gives_the_same_logits(run, tmp_path):
    x, logits, labels = zeros_and_logits(run)
    written = model_files.export(run, "final", "tflite", tmp_path / "model.tflite")
    interpreter = tf.lite.Interpreter(model_path=str(written.path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
    interpreter.invoke()
    again = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(again, logits, rtol=1e-3, atol=1e-3)
    assert json.loads((tmp_path / "model.labels.json").read_text()) == labels
    assert written.milliseconds > 0


def test_npz_holds_every_weight_under_a_name_of_its_own(run, tmp_path):
    model, labels = model_files.load(run, "final")
    written = model_files.export(run, "final", "npz", tmp_path / "model.npz")
    with np.load(written.path) as arrays:
        assert sorted(arrays["labels"]) == sorted(labels)
        held = sorted(arrays[name].tobytes() for name in arrays.files if name != "labels")
    assert held == sorted(variable.numpy().tobytes() for variable in model.variables)


@pytest.mark.parametrize("file_format", [None, "keras", "npz", "savedmodel"])
def test_a_start_from_a_runs_model_in_any_format_is_the_start_from_its_checkpoint(
    digits_run, tmp_path, file_format
):
    task = prediction.task_of(digits_run)
    path = digits_run / "final.keras"
    if file_format:
        path = model_files.export(
            digits_run, "final", file_format, tmp_path / f"m.{file_format}"
        ).path
    one, other = (
        starts.resolve(StartConfig(f"checkpoint:{place}"), task, seed=3)
        for place in (digits_run, path)
    )
    assert one.report.facts["head"] == other.report.facts["head"] == "keep"
    assert one.digest == other.digest


def test_the_same_run_exports_the_same_keras_bytes(digits_run, tmp_path):
    written = model_files.export(digits_run, "final", "keras", tmp_path / "model.keras")
    again = model_files.export(digits_run, "final", "keras", tmp_path / "again.keras")
    assert written.path.read_bytes() == again.path.read_bytes()


def test_an_image_is_read_as_the_stored_ones_are(digits_run, tmp_path):
    task = prediction.task_of(digits_run)
    stored = task.dataset.read_client("test", task.dataset.index("test").client_ids[0])
    pixels = stored["image"].numpy()[0]
    Image.fromarray(pixels[:, :, 0]).convert("RGB").save(tmp_path / "digit.png")
    row = prediction.read_image(tmp_path / "digit.png", task.encoder.x_shape)
    np.testing.assert_array_equal(row, pixels)
    (found,) = prediction.predict(digits_run, "best", tmp_path / "digit.png")
    model, _ = model_files.load(digits_run, "best")
    expected = np.asarray(tf.nn.softmax(model(pixels[np.newaxis])))[0]
    assert found.classes[0] == (str(expected.argmax()), pytest.approx(expected.max(), abs=1e-5))
    assert len(found.classes) == 5


@pytest.mark.slow
def test_every_line_of_a_text_gets_its_next_character(shakespeare_run, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("To be or not to b\n\nMy lord\n", encoding="utf-8")
    found = prediction.predict(shakespeare_run, "final", file)
    assert [one.of for one in found] == ["To be or not to b", "My lord"]
    assert all(len(label) <= 3 for one in found for label, _ in one.classes)
    assert all(0 < probability < 1 for one in found for _, probability in one.classes)


def test_what_cannot_be_exported_or_predicted_is_refused(digits_run, tmp_path):
    with pytest.raises(UserError, match="choose keras"):
        model_files.export(digits_run, "final", "onnx")
    with pytest.raises(UserError, match="is the run finished"):
        model_files.export(tmp_path, "final", "npz")
    with pytest.raises(UserError, match="no such file"):
        prediction.predict(digits_run, "final", tmp_path / "absent.png")
    huge = data_files.png_that_declares(65_000, 65_000)
    for content, why in (b"not an image", "cannot identify"), (huge, "4225000000 pixels"):
        (tmp_path / "text.png").write_bytes(content)
        with pytest.raises(UserError, match=f"not a readable image .*{why}"):
            prediction.predict(digits_run, "final", tmp_path / "text.png")


def planted(folder, layer, file_format):
    """A run folder whose final.keras runs code when Keras loads it."""
    model = tf.keras.Sequential([tf.keras.layers.InputLayer((2,)), layer])
    model.save(folder / f"model.{file_format}")
    os.replace(folder / f"model.{file_format}", folder / "final.keras")
    return folder


@pytest.mark.parametrize("file_format", ["h5", "tf", "keras"])
def test_a_model_file_that_holds_code_is_refused_before_it_is_built(file_format, tmp_path):
    seen = str(tmp_path / "ran")

    def write(x):
        with open(seen, "w"):
            return x

    run = planted(tmp_path, tf.keras.layers.Lambda(write), file_format)
    os.remove(seen)
    with pytest.raises(UserError, match="refused, it"):
        model_files.export(run, "final", "npz")
    assert not os.path.exists(seen)


@pytest.mark.parametrize(
    "part",
    [
        {"module": "os", "class_name": "system", "config": "true", "registered_name": None},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {
            "module": "keras.layers",
            "class_name": "TFOpLambda",
            "config": {"function": "io.read_file"},
        },
    ],
)
def test_a_configuration_that_names_foreign_code_is_refused(part, digits_run, tmp_path):
    with zipfile.ZipFile(digits_run / "final.keras") as old:
        entries = {name: old.read(name) for name in old.namelist()}
    config = json.loads(entries["config.json"])
    config["config"]["layers"].append(part)
    with zipfile.ZipFile(tmp_path / "final.keras", "w") as new:
        for name, content in (entries | {"config.json": json.dumps(config)}).items():
            new.writestr(name, content)
    with pytest.raises(UserError, match=f"refused, it.*{part['class_name']}"):
        model_files.load(tmp_path, "final")


@pytest.mark.slow
def test_a_calibrated_head_answers_better_than_a_run_of_two_rounds(digits_run, tmp_path):
    head = calibrated_head.of_run(digits_run, "final")
    model, _ = model_files.load(digits_run, "final")
    reader = prediction.task_of(digits_run).reader("test")
    x, y = (np.concatenate(part) for part in zip(*map(reader.rows, reader.client_ids), strict=True))
    before = (model.predict(x, verbose=0).argmax(1) == y).mean()
    model.get_layer("head").set_weights([head["head/kernel"], head["head/bias"]])
    assert (model.predict(x, verbose=0).argmax(1) == y).mean() > max(before, 0.8)


def test_a_calibrated_model_is_the_runs_but_for_its_head(digits_run, tmp_path):
    own = model_files.load(digits_run, "final")[0].get_layer("head").get_weights()
    head = {"head/kernel": 2.0 * own[0], "head/bias": own[1] + 1.0}
    written = model_files.export(digits_run, "final", "npz", tmp_path / "m.npz", head).path
    plain = model_files.export(digits_run, "final", "npz", tmp_path / "plain.npz").path
    assert sorted(head) == ["head/bias", "head/kernel"]
    with np.load(written) as made, np.load(plain) as own:
        changed = [name for name in own.files if not np.array_equal(made[name], own[name])]
        assert sorted(changed) == sorted(head)
        for name, value in head.items():
            np.testing.assert_array_equal(made[name], value)
    card = model_card.write(digits_run, "final", written, calibrated=True).read_text()
    assert "retrained afterwards on virtual features" in card
    assert ", before the calibration" in card
