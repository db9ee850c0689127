"""Oracle: scikit-learn's mixtures, from the same beginning and for as many steps."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from sklearn.mixture import GaussianMixture

from fed_pretrain.tasks import class_mixtures
from fed_pretrain.tasks.feature_sums import SECOND_MOMENTS

CLASSES, WIDTH, COMPONENTS = 3, 4, 2


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.asarray([0, 1, -1] * 30 + [2, -1])
    centres = generator.normal(size=(len(labels), 1)) > 0
    return generator.normal(size=(len(labels), WIDTH)) + 2.0 * centres + labels[:, None], labels


def fitted(rows, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, labels = (tf.constant(part) for part in rows)
    fit = class_mixtures._Fit(
        features, tf.cast(labels, tf.int32), CLASSES, COMPONENTS, SECOND_MOMENTS[kind]
    )
    counts, sums, squares = (np.asarray(part) for part in fit.sums())
    return counts, sums, squares


def spreads(own: np.ndarray, kind: str) -> np.ndarray:
    return own.var(0) if kind == "diagonal" else np.full(WIDTH, own.var(0).mean())


@pytest.mark.parametrize("kind", ["diagonal", "spherical"])
def test_a_mixture_is_scikit_learns(rows, kind) -> None:
    counts, sums, squares = fitted(rows, kind)
    x, labels = rows
    floor = class_mixtures.FLOOR * np.mean([spreads(x[labels == c], kind) for c in range(CLASSES)])
    for label in (0, 1):
        own = x[labels == label]
        spread = spreads(own, kind) + floor
        precisions = 1 / (spread if kind == "diagonal" else spread[0])
        oracle = GaussianMixture(
            COMPONENTS,
            covariance_type="diag" if kind == "diagonal" else "spherical",
            weights_init=[0.5, 0.5],
            means_init=own[:COMPONENTS],
            precisions_init=np.asarray([precisions] * COMPONENTS),
            reg_covar=floor,
            max_iter=class_mixtures.ITERATIONS + 1,
            tol=0.0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            oracle.fit(own)
        np.testing.assert_allclose(counts[:, label] / len(own), oracle.weights_, rtol=1e-6)
        means = sums[:, label] / counts[:, label, None]
        np.testing.assert_allclose(means, oracle.means_, rtol=1e-6)
        if kind == "diagonal":
            variances = squares[:, label] / counts[:, label, None] - means**2
        else:
            variances = (squares[:, label] / counts[:, label] - (means**2).sum(1)) / WIDTH
        np.testing.assert_allclose(variances, oracle.covariances_ - floor, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", ["diagonal", "spherical"])
def test_components_add_up_to_the_class_and_padding_counts_for_nothing(rows, kind) -> None:
    counts, sums, squares = fitted(rows, kind)
    x, labels = rows
    hot = np.eye(CLASSES + 1)[labels][:, :CLASSES]
    np.testing.assert_allclose(counts.sum(0), hot.sum(0))
    np.testing.assert_allclose(sums.sum(0), hot.T @ x)
    expected = hot.T @ x**2 if kind == "diagonal" else hot.T @ (x**2).sum(1)
    np.testing.assert_allclose(squares.sum(0), expected)
    # The third class has one example, which one component has whole.
    assert sorted(counts[:, 2]) == [0.0, 1.0]


def test_a_client_without_the_first_class_has_finite_sums_all_the_same(rows) -> None:
    x, labels = rows
    counts, sums, squares = fitted((x, np.where(labels == 0, 1, labels)), "diagonal")
    assert all(np.isfinite(part).all() for part in (counts, sums, squares))
    assert not counts[:, 0].any()
