"""Models of runs that TensorFlow 2.14 made, whose Keras filed layers under another name."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from fed_pretrain.exporting import model_files
from fed_pretrain.starts.formats import keras_zip
from tests.fed_pretrain.exporting.export_models_test import built


@pytest.fixture
def older_run(tmp_path):
    """A finished run's folder as 2.14 left it, the model in it, and a row for that."""
    model, row = built("linear")
    path = tmp_path / "final.keras"
    model_files.save_keras(model_files.portable(model), ["a", "b"], path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as tree:
        tree.move("layers", "_layer_checkpoint_dependencies")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)
    return tmp_path, model, row


def test_a_model_that_2_14_wrote_is_read(older_run):
    run, model, row = older_run
    before = (run / "final.keras").read_bytes()
    again, labels = model_files.load(run, "final")
    np.testing.assert_array_equal(again(row), model(row))
    assert labels == ["a", "b"]
    assert (run / "final.keras").read_bytes() == before


def test_a_start_reads_the_same_tensors_from_it(older_run, tmp_path_factory):
    run, model, _ = older_run
    newer = tmp_path_factory.mktemp("newer") / "final.keras"
    model_files.save_keras(model_files.portable(model), ["a", "b"], newer)
    found, expected = keras_zip.read(str(run / "final.keras")), keras_zip.read(str(newer))
    assert found.keys() == expected.keys() != set()
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor, expected[name])
