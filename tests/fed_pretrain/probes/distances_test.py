import math
from types import SimpleNamespace

import numpy as np
import pytest

from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.distances import Distances, _draw_between, compare, distance


def arrays(*values):
    return ModelArrays([np.array([v], np.float32) for v in values], [])


def probe_of_start(*values):
    return Distances(SimpleNamespace(start=SimpleNamespace(weights=arrays(*values))))


def test_the_distance_is_euclidean_over_all_tensors():
    first = [np.zeros((2, 2), np.float32), np.zeros(1, np.float32)]
    second = [np.full((2, 2), 1.0, np.float32), np.full(1, 2.0, np.float32)]
    assert distance(first, second) == pytest.approx(np.sqrt(8.0))


def test_small_differences_survive_beside_large_weights():
    first = [np.full(4, 1e4, np.float32)]
    second = [np.nextafter(first[0], np.float32(np.inf))]
    assert distance(first, second) == pytest.approx(2 * (float(second[0][0]) - 1e4), rel=1e-12)


def test_tensors_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError):
        distance([np.zeros(2)], [np.zeros(2), np.zeros(2)])


def test_the_file_holds_both_distances_of_every_snapshot():
    probe = probe_of_start(0.0, 0.0)
    snapshots = [(0, lambda: arrays(0.0, 0.0)), (2, lambda: arrays(3.0, 0.0))]
    written = probe.at_end([*snapshots, (4, lambda: arrays(3.0, 4.0))])
    assert written["rounds"] == [0, 2, 4]
    assert written["to_start"] == [0.0, 3.0, 5.0]
    assert written["to_final"] == [5.0, 4.0, 0.0]


def test_the_distance_to_weights_that_diverged_is_undefined():
    found = probe_of_start(0.0).at_end([(0, lambda: arrays(0.0)), (1, lambda: arrays(np.nan))])
    assert found["to_start"][0] == 0.0
    assert np.isnan(found["to_start"][1])


def test_the_columns_are_the_distance_after_the_round_and_what_it_moved():
    probe = probe_of_start(1.0)
    observation = SimpleNamespace(before=arrays(6.0), after=arrays(4.0))
    assert probe.at_start(arrays(1.0)) == {"distance_to_start": 0.0}
    moved = probe.after_round(observation, due=False)
    assert moved == {"distance_to_start": 3.0, "distance_moved": 2.0}


NAMES = ["conv/kernel", "conv/bias", "head/kernel"]
START = [np.ones((2, 2), np.float32), np.zeros(2, np.float32), np.full(3, 5.0, np.float32)]


def moved(kernel, bias, head):
    parts = zip(START, (kernel, bias, head), strict=True)
    return [(start + np.asarray(change)).astype(np.float32) for start, change in parts]


def test_a_right_angle_and_an_opposite_one_are_reported_by_layer_and_whole():
    first = moved(np.zeros((2, 2)), [3.0, 0.0], [1.0, 0.0, 0.0])
    second = moved(np.zeros((2, 2)), [0.0, 4.0], [-1.0, 0.0, 0.0])
    found = compare(START, first, second, NAMES)
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
    found = compare(split(start), split(first), split(second), NAMES)["whole"]
    one, other = first - start, second - start
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found["apart"] == pytest.approx(np.linalg.norm(first - second))
    assert found["angle_degrees"] == pytest.approx(np.degrees(np.arccos(cosine)))


def test_the_angle_of_a_layer_that_has_not_moved_is_undefined():
    first, second = moved(0.0, 0.0, 1.0), moved(0.0, 0.0, 2.0)
    found = compare(START, first, second, NAMES)
    convolution, head = found["layers"]
    assert math.isnan(convolution["angle_degrees"])
    assert math.isnan(convolution["relative"])
    assert convolution["apart"] == 0.0
    assert head["angle_degrees"] == pytest.approx(0.0, abs=1e-5)


def test_the_triangle_of_the_start_and_two_solutions_is_to_scale():
    """At an angle of 60 degrees, with sides of 2 and 3 from the start."""
    first, second = np.array([2.0, 0.0]), 3 * np.array([0.5, math.sqrt(0.75)])
    found = compare([np.zeros(2)], [first], [second], ["layer/kernel"])
    drawn = _draw_between({**found, "first": "a", "second": "b"}).axes[0]
    sides = [np.diff(line.get_xydata(), axis=0)[0] for line in drawn.lines[:3]]
    apart = math.sqrt(4 + 9 - 2 * 3)  # By the law of cosines.
    assert [np.linalg.norm(side) for side in sides] == pytest.approx([2.0, 3.0, apart])


def test_solutions_of_different_tensors_are_refused():
    with pytest.raises(ValueError):
        compare(START, START, START[:2], NAMES)
