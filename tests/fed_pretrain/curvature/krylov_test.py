import numpy as np
import pytest

from fed_pretrain.curvature.lanczos import dominant_eigenpair, eigenpairs
from fed_pretrain.curvature.spectrum import hutchinson_trace, spectral_density


class Matrix:
    def __init__(self, matrix):
        self.matrix = matrix
        self.size = len(matrix)

    def matvec(self, vector):
        return self.matrix @ vector


def symmetric(eigenvalues, seed=0):
    size = len(eigenvalues)
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return Matrix(q @ np.diag(eigenvalues) @ q.T)


SPECTRUM = np.concatenate([[-9.0, -3.0], np.linspace(-0.5, 0.5, 200), [4.0, 6.0, 6.5]])


@pytest.mark.parametrize("end", ["largest", "smallest"])
def test_both_ends_of_the_spectrum_equal_the_dense_eigenvalues(end):
    matrix = symmetric(SPECTRUM)
    result = eigenpairs(matrix, 2, end, tolerance=1e-9)
    expected = np.sort(np.linalg.eigvalsh(matrix.matrix))
    expected = expected[:2] if end == "smallest" else expected[:-3:-1]
    np.testing.assert_allclose([pair.value for pair in result.pairs], expected, rtol=1e-9)
    assert result.converged
    for pair in result.pairs:
        np.testing.assert_allclose(matrix.matvec(pair.vector), pair.value * pair.vector, atol=1e-7)


def test_the_top_eigenvalue_is_the_algebraically_largest_not_the_largest_in_size():
    assert eigenpairs(symmetric(SPECTRUM)).pairs[0].value == pytest.approx(6.5, rel=1e-3)
    assert dominant_eigenpair(symmetric(SPECTRUM)).pair.value == pytest.approx(-9.0, rel=1e-3)


def test_too_few_iterations_are_reported_as_not_converged():
    close = symmetric(np.linspace(0.9, 1.0, 300))
    result = eigenpairs(close, max_iterations=3, tolerance=1e-9)
    assert not result.converged
    assert result.iterations == 3
    assert result.pairs[0].relative_residual > 1e-9


def test_the_true_eigenvalue_lies_within_the_residual():
    matrix = symmetric(np.sort(np.random.default_rng(3).standard_normal(100)))
    result = eigenpairs(matrix, max_iterations=8, tolerance=0.0)
    pair = result.pairs[0]
    distance = np.min(np.abs(np.linalg.eigvalsh(matrix.matrix) - pair.value))
    assert distance <= pair.residual


def test_a_small_matrix_is_solved_exactly_and_then_the_search_ends():
    result = eigenpairs(symmetric(np.array([1.0, 2.0, 5.0])), 3, max_iterations=50)
    np.testing.assert_allclose([pair.value for pair in result.pairs], [5, 2, 1], rtol=1e-9)
    assert result.iterations <= 3
    assert result.converged


def test_a_zero_matrix_has_eigenvalue_zero_and_ends_at_once():
    result = eigenpairs(Matrix(np.zeros((5, 5))))
    assert result.pairs[0].value == 0.0
    assert result.pairs[0].relative_residual is None
    assert result.iterations == 1


def test_the_same_seed_gives_the_same_bits():
    first, second = (eigenpairs(symmetric(SPECTRUM), seed=4) for _ in range(2))
    assert first.pairs[0].value == second.pairs[0].value
    np.testing.assert_array_equal(first.pairs[0].vector, second.pairs[0].vector)


def test_the_density_integrates_to_one_and_has_the_right_moments():
    matrix = symmetric(SPECTRUM)
    density = spectral_density(matrix, vectors=30, steps=30)
    grid = np.linspace(-12, 12, 4000)
    assert np.trapz(density.on_grid(grid, 0.2), grid) == pytest.approx(1.0, abs=1e-3)
    assert density.moment(2) == pytest.approx(np.mean(SPECTRUM**2), rel=0.2)


def test_the_trace_lies_within_its_error():
    estimate = hutchinson_trace(symmetric(SPECTRUM), samples=64)
    assert abs(estimate.trace - SPECTRUM.sum()) < 4 * estimate.standard_error
    assert np.isnan(hutchinson_trace(symmetric(SPECTRUM), samples=1).standard_error)


def test_eigenvectors_of_a_similar_matrix_save_products_and_change_no_eigenvalue():
    matrix = symmetric(SPECTRUM)
    moved = Matrix(matrix.matrix + 0.01 * symmetric(SPECTRUM, seed=1).matrix)
    near = [pair.vector for pair in eigenpairs(matrix, 2).pairs]
    afresh, found = eigenpairs(moved, 2), eigenpairs(moved, 2, near=near)
    expected = np.linalg.eigvalsh(moved.matrix)[:-3:-1]
    np.testing.assert_allclose([pair.value for pair in found.pairs], expected, rtol=1e-5)
    assert found.converged
    assert found.matvecs <= afresh.matvecs - 3


def test_a_vector_that_is_no_longer_the_outermost_does_not_stay():
    matrix = symmetric(SPECTRUM)
    inner = np.linalg.eigh(matrix.matrix)[1][:, -3]
    assert eigenpairs(matrix, near=[inner]).pairs[0].value == pytest.approx(6.5, rel=1e-5)


def test_vectors_of_another_size_are_passed_over():
    matrix = symmetric(SPECTRUM)
    assert eigenpairs(matrix, near=[np.ones(3)]).pairs[0].value == eigenpairs(matrix).pairs[0].value
