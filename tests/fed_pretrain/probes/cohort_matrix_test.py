import numpy as np
import pytest

from fed_pretrain.probes import cohort_matrix


def test_the_matrix_equals_numpy_on_the_collected_updates():
    updates = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    found = cohort_matrix.measure([[u[:2], u[2:].reshape(2, 2)] for u in updates], list("abcd"))
    units = updates / np.linalg.norm(updates, axis=1, keepdims=True)
    np.testing.assert_allclose(found["cosine"], units @ units.T, atol=1e-6)
    expected = (units @ units.T)[np.triu_indices(4, 1)].mean()
    assert found["mean_pairwise_cosine"] == pytest.approx(expected, abs=1e-6)
    diversity = np.sum(updates**2) / np.sum(updates.sum(axis=0) ** 2)
    assert found["gradient_diversity"] == pytest.approx(diversity, rel=1e-5)


def test_a_zero_update_has_no_cosine_and_one_client_no_mean():
    found = cohort_matrix.measure([[np.ones(2)], [np.zeros(2)]], ["a", "b"])
    assert found["cosine"][0] == [pytest.approx(1.0), None]
    assert found["mean_pairwise_cosine"] is None
    assert found["norms"] == [pytest.approx(np.sqrt(2)), 0.0]
    assert cohort_matrix.measure([[np.ones(2)]], ["a"])["mean_pairwise_cosine"] is None
