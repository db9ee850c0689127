"""Keras 2.14 and 2.16 file the layers of a model under different names; each reads both here."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from fed_pretrain.exporting import model_files
from fed_pretrain.starts.formats import keras_zip
from tests.fed_pretrain.exporting.export_models_test import built

LAYERS_OF_2_16 = tuple(reversed(model_files._LAYERS))


@pytest.fixture
def other_run(tmp_path):
    """A finished run's folder as the other Keras left it, the model in it, and a row for that."""
    model, row = built("linear")
    path = tmp_path / "final.keras"
    model_files.save_keras(model_files.portable(model), ["a", "b"], path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as tree:
        ours, theirs = model_files._LAYERS if model_files._LAYERS[0] in tree else LAYERS_OF_2_16
        tree.move(ours, theirs)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)
    return tmp_path, model, row


def test_a_model_that_the_other_keras_wrote_is_read(other_run):
    run, model, row = other_run
    before = (run / "final.keras").read_bytes()
    again, labels = model_files.load(run, "final")
    np.testing.assert_array_equal(again(row), model(row))
    assert labels == ["a", "b"]
    assert (run / "final.keras").read_bytes() == before


def test_a_start_reads_the_same_tensors_from_it(other_run, tmp_path_factory):
    run, model, _ = other_run
    newer = tmp_path_factory.mktemp("newer") / "final.keras"
    model_files.save_keras(model_files.portable(model), ["a", "b"], newer)
    found, expected = keras_zip.read(str(run / "final.keras")), keras_zip.read(str(newer))
    assert found.keys() == expected.keys() != set()
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor, expected[name])
