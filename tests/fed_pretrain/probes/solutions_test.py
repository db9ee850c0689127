import math

import numpy as np
import pytest

from fed_pretrain.probes import solutions

NAMES = ["conv/kernel", "conv/bias", "head/kernel"]
START = [np.ones((2, 2), np.float32), np.zeros(2, np.float32), np.full(3, 5.0, np.float32)]


def moved(kernel, bias, head):
    parts = zip(START, (kernel, bias, head), strict=True)
    return [(start + np.asarray(change)).astype(np.float32) for start, change in parts]


def test_a_right_angle_and_an_opposite_one_are_told_by_layer_and_whole():
    first = moved(np.zeros((2, 2)), [3.0, 0.0], [1.0, 0.0, 0.0])
    second = moved(np.zeros((2, 2)), [0.0, 4.0], [-1.0, 0.0, 0.0])
    found = solutions.compare(START, first, second, NAMES)
    convolution, head = found["layers"]
    assert convolution == {
        "layer": "conv",
        "apart": pytest.approx(5.0),
        "first_from_start": pytest.approx(3.0),
        "second_from_start": pytest.approx(4.0),
        "relative": pytest.approx(5.0 / 3.5),
        "angle_degrees": pytest.approx(90.0),
    }
    assert head["layer"] == "head"
    assert head["angle_degrees"] == pytest.approx(180.0)
    assert found["whole"]["apart"] == pytest.approx(math.sqrt(25 + 4))


def test_the_whole_equals_numpy_on_the_flat_vectors():
    generator = np.random.default_rng(0)
    start, first, second = generator.standard_normal((3, 11))
    split = lambda flat: [flat[:4], flat[4:6], flat[6:]]  # noqa: E731
    found = solutions.compare(split(start), split(first), split(second), NAMES)["whole"]
    one, other = first - start, second - start
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found["apart"] == pytest.approx(np.linalg.norm(first - second))
    assert found["angle_degrees"] == pytest.approx(np.degrees(np.arccos(cosine)))


def test_the_angle_of_a_layer_that_has_not_moved_is_undefined():
    first, second = moved(0.0, 0.0, 1.0), moved(0.0, 0.0, 2.0)
    found = solutions.compare(START, first, second, NAMES)
    convolution, head = found["layers"]
    assert math.isnan(convolution["angle_degrees"])
    assert math.isnan(convolution["relative"])
    assert convolution["apart"] == 0.0
    assert head["angle_degrees"] == pytest.approx(0.0, abs=1e-5)


def test_tensors_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError):
        solutions.compare(START, START, START[:2], NAMES)
