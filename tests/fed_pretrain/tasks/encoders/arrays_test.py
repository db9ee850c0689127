"""Rows of one's own arrays, by the kind of their labels."""

import numpy as np
import pytest

from data_prep.store.features import FeatureSpec
from fed_pretrain.tasks import known_tasks
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature


def dataset(folder, features, example, names=None, extra=None):
    clients = {"a": [example, example], "b": [example]}
    return miniature.write(folder, features, {"train": clients}, names, extra)


def test_measurements_stay_numbers(tmp_path):
    features = (FeatureSpec("x", "float32", (3,)), FeatureSpec("y", "float32"))
    data = dataset(tmp_path, features, {"x": [1, 2, 3], "y": 0.5}, extra={"y_mean": [0.25]})
    task = known_tasks.load("regression", data)
    x, y = task.reader("train").rows("a")
    assert (x.shape, y.shape, y.dtype, y[0, 0]) == ((2, 3), (2, 1), np.float32, 0.5)
    assert task.encoder.centre == (0.25,)
    assert task.build_model().output_shape == (None, 1)


def test_several_labels_and_rows_of_tokens(tmp_path):
    features = (FeatureSpec("x", "int64", (4,)), FeatureSpec("y", "int64", (4,)))
    example = {"x": [1, 2, 3, 0], "y": [0, 1, 1, 0]}
    data = dataset(tmp_path, features, example, extra={"classes": 4})
    several = known_tasks.load("multilabel", data)
    assert (several.num_classes, several.encoder.y_shape) == (4, (4,))
    tokens = known_tasks.load("next_token", data)
    assert tokens.build_model().output_shape == (None, 4, 4)
    assert tokens.reader("train").rows("a")[0].dtype == np.int32


def test_a_grey_image_has_the_shape_of_the_array(tmp_path):
    features = (FeatureSpec("image", "image", (4, 5, 1)), FeatureSpec("label", "int64"))
    example = {"image": np.zeros((4, 5, 1), np.uint8), "label": 1}
    data = dataset(tmp_path, features, example, ["no", "yes"], {"x_shape": [4, 5]})
    task = known_tasks.load("classification", data)
    assert (task.encoder.x_shape, task.label_names) == ((4, 5), ("no", "yes"))


@pytest.mark.parametrize("name", ["multilabel", "next_token"])
def test_labels_of_another_kind_are_refused(tmp_path, name):
    features = (FeatureSpec("x", "float32", (3,)), FeatureSpec("label", "int64"))
    data = dataset(tmp_path, features, {"x": [1, 2, 3], "label": 1}, ["a", "b"])
    with pytest.raises(UserError, match=f"--task={name} wants labels that are"):
        known_tasks.load(name, data)
