from types import SimpleNamespace

import numpy as np
import pytest

from fed_pretrain.experiment.workdir.checkpoints import ModelArrays
from fed_pretrain.probes.distances import Distances, distance


def arrays(*values):
    return ModelArrays([np.array([v], np.float32) for v in values], [])


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
    probe = Distances(arrays(0.0, 0.0).trainable)
    snapshots = [(0, lambda: arrays(0.0, 0.0)), (2, lambda: arrays(3.0, 0.0))]
    written = probe.at_end([*snapshots, (4, lambda: arrays(3.0, 4.0))])
    assert written["rounds"] == [0, 2, 4]
    assert written["to_start"] == [0.0, 3.0, 5.0]
    assert written["to_final"] == [5.0, 4.0, 0.0]


def test_the_distance_to_weights_that_diverged_is_undefined():
    found = Distances(arrays(0.0).trainable).at_end(
        [(0, lambda: arrays(0.0)), (1, lambda: arrays(np.nan))]
    )
    assert found["to_start"][0] == 0.0
    assert np.isnan(found["to_start"][1])


def test_the_column_is_the_distance_after_the_round():
    probe = Distances(arrays(1.0).trainable)
    observation = SimpleNamespace(after=arrays(4.0))
    assert probe.at_start(arrays(1.0)) == {"distance_to_start": 0.0}
    assert probe.after_round(observation, due=False) == {"distance_to_start": 3.0}
