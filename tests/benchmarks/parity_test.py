"""How far two results are apart, by how far they went."""

import numpy as np
import pytest

from benchmarks.parity import relative, units


def test_a_difference_is_a_share_of_the_largest_way_of_its_tensor_and_the_largest_counts() -> None:
    start = [np.array([1.0, 1.0]), np.array(0.0)]
    expected = [np.array([1.0, 5.0]), np.array(0.5)]
    found = [np.array([1.2, 5.0]), np.array(0.4)]
    assert relative(found, expected, start) == pytest.approx(0.2)  # 0.1 of 0.5; 0.2 of 4
    assert relative(found[:1], expected[:1], start[:1]) == pytest.approx(0.05)


def test_states_start_at_zero_and_what_stayed_there_differs_by_what_it_is() -> None:
    states = {"a": np.array([2.0]), "b": np.array([0.0])}
    assert relative({"a": np.array([2.2]), "b": np.array([0.3])}, states) == pytest.approx(0.3)
    assert relative(states, states) == 0.0


def test_units_are_those_of_the_largest_number_of_a_tensor() -> None:
    expected = [np.float32([1.0, 2.0**-20]), np.float32([-8.0])]
    found = [expected[0] + np.float32([0, 2.0**-22]), np.float32([-8.0 - 2.0**-20])]
    assert units(found, expected) == 2.0  # 2^-22 by 2^-23; 2^-20 by 2^-20
    assert units(expected, expected) == 0.0
