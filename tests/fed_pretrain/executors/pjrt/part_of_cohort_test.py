"""Which clients go to the device together: shapes alone, with an order that no memory changes."""

import numpy as np
import pytest

from fed_pretrain.executors.pjrt import part_of_cohort


def clients(sizes):
    return [[np.full(size, place, np.int32)] for place, size in enumerate(sizes)]


def order(sizes, budget, most=0):
    return [
        place
        for launch in part_of_cohort.launches(clients(sizes), budget, most)
        for place in launch.places
    ]


@pytest.mark.parametrize(("budget", "most"), [(1 << 30, 0), (1, 0), (40, 0), (1 << 30, 3)])
def test_neither_memory_nor_a_limit_changes_the_order(budget, most):
    sizes = [8, 2, 8, 4, 2, 2, 8, 2, 2]
    assert order(sizes, budget, most) == [1, 4, 5, 7, 8, 3, 0, 2, 6]


def test_launches_hold_one_shape_and_fit_the_budget():
    for launch in part_of_cohort.launches(clients([4] * 9 + [2] * 3), 64, 0):
        assert len({array.shape for (array,) in launch.clients}) == 1
        assert len(launch.places) <= launch.capacity <= 64 // launch.clients[0][0].nbytes


def test_a_client_larger_than_the_budget_goes_alone():
    assert [launch.capacity for launch in part_of_cohort.launches(clients([100, 100]), 1, 0)] == [
        1,
        1,
    ]


def test_waves_lose_nobody(monkeypatch):
    monkeypatch.setattr(part_of_cohort, "WAVE", 4)
    waves = list(part_of_cohort.waves(clients([1] * 9)))
    assert [len(wave) for wave in waves] == [4, 4, 1]
