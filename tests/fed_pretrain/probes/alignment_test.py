import math

import numpy as np
import pytest

from fed_pretrain.probes import alignment


def sums_of(updates, previous=None):
    """The aggregator's sums, from the updates themselves."""
    norms = np.linalg.norm(updates, axis=1)
    valid = norms > 1e-12
    units = updates[valid] / norms[valid, None]
    aggregate = updates.mean(axis=0)
    previous = np.zeros_like(aggregate) if previous is None else previous
    return {
        "clients": float(len(updates)),
        "valid": float(valid.sum()),
        "sum_norm": float(norms.sum()),
        "sum_squared_norm": float((norms**2).sum()),
        "max_norm": float(norms.max()),
        "squared_norm_of_sum": float(np.sum(updates.sum(axis=0) ** 2)),
        "squared_norm_of_unit_sum": float(np.sum(units.sum(axis=0) ** 2)),
        "aggregate_norm": float(np.linalg.norm(aggregate)),
        "previous_aggregate_norm": float(np.linalg.norm(previous)),
        "aggregate_dot_previous": float(aggregate @ previous),
    }


def test_the_cosine_equals_the_mean_over_all_pairs():
    updates = np.random.default_rng(0).standard_normal((7, 30))
    units = updates / np.linalg.norm(updates, axis=1, keepdims=True)
    cosines = units @ units.T
    expected = cosines[np.triu_indices(7, 1)].mean()
    found = alignment.figures(sums_of(updates))["mean_pairwise_cosine"]
    assert found == pytest.approx(expected, abs=1e-12)


def test_equal_norms_tie_diversity_to_the_cosine():
    updates = np.random.default_rng(1).standard_normal((5, 20))
    updates /= np.linalg.norm(updates, axis=1, keepdims=True)
    found = alignment.figures(sums_of(updates))
    assert found["gradient_diversity"] == pytest.approx(1 / (1 + 4 * found["mean_pairwise_cosine"]))


@pytest.mark.parametrize(
    ("updates", "diversity", "cosine"),
    [
        (np.ones((4, 3)), 1 / 4, 1.0),
        (np.eye(4), 1.0, 0.0),
        (np.array([[1.0, 0.1], [-1.0, 0.1]]), 2.02 / 0.04, -0.99 / 1.01),
    ],
)
def test_known_arrangements_have_their_known_figures(updates, diversity, cosine):
    found = alignment.figures(sums_of(updates))
    assert found["gradient_diversity"] == pytest.approx(diversity)
    assert found["mean_pairwise_cosine"] == pytest.approx(cosine)


def test_one_client_has_diversity_one_and_no_cosine():
    found = alignment.figures(sums_of(np.array([[3.0, 4.0]])))
    assert found["gradient_diversity"] == 1.0
    assert math.isnan(found["mean_pairwise_cosine"])
    assert found["std_update_norm"] == 0.0


def test_a_zero_update_counts_in_the_mean_norm_but_in_no_cosine():
    updates = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    found = alignment.figures(sums_of(updates))
    assert found["mean_pairwise_cosine"] == pytest.approx(1.0)
    assert found["mean_update_norm"] == pytest.approx(2 / 3)


def test_opposite_updates_that_cancel_have_no_diversity():
    assert math.isnan(alignment.figures(sums_of(np.array([[1.0], [-1.0]])))["gradient_diversity"])


def test_the_first_round_has_no_consecutive_cosine_and_the_second_has():
    first, second = np.random.default_rng(2).standard_normal((2, 6, 10))
    assert math.isnan(alignment.figures(sums_of(first))["consecutive_cosine"])
    a, b = first.mean(axis=0), second.mean(axis=0)
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    found = alignment.figures(sums_of(second, previous=a))["consecutive_cosine"]
    assert found == pytest.approx(expected)


def test_the_matrix_equals_numpy_on_the_collected_updates():
    updates = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    found = alignment.matrix([[u[:2], u[2:].reshape(2, 2)] for u in updates], list("abcd"))
    units = updates / np.linalg.norm(updates, axis=1, keepdims=True)
    np.testing.assert_allclose(found["cosine"], units @ units.T, atol=1e-6)
    expected = (units @ units.T)[np.triu_indices(4, 1)].mean()
    assert found["mean_pairwise_cosine"] == pytest.approx(expected, abs=1e-6)
    diversity = np.sum(updates**2) / np.sum(updates.sum(axis=0) ** 2)
    assert found["gradient_diversity"] == pytest.approx(diversity, rel=1e-5)


def test_a_zero_update_has_no_cosine_and_one_client_no_mean():
    found = alignment.matrix([[np.ones(2)], [np.zeros(2)]], ["a", "b"])
    assert found["cosine"][0] == [pytest.approx(1.0), None]
    assert found["mean_pairwise_cosine"] is None
    assert found["norms"] == [pytest.approx(np.sqrt(2)), 0.0]
    assert alignment.matrix([[np.ones(2)]], ["a"])["mean_pairwise_cosine"] is None
