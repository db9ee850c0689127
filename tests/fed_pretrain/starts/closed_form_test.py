"""Oracles: scikit-learn's ridge regression, and loops over pooled examples."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fed_pretrain.starts import closed_form, virtual_features
from fed_pretrain.starts.closed_form import FORMS, ClassSums
from groundwork.errors import UserError

CLASSES, WIDTH = 4, 6


@pytest.fixture(scope="module")
def clients() -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(CLASSES, WIDTH))
    labels = [generator.integers(0, 3, size=n) for n in (5, 9, 1, 14)]
    return [(centres[y] + generator.normal(size=(len(y), WIDTH)), y) for y in labels]


def sums_of(features: np.ndarray, labels: np.ndarray) -> ClassSums:
    hot = np.eye(CLASSES)[labels]
    return ClassSums(hot.T @ features, hot.sum(0), features.T @ features)


def fitted(name: str, clients, strength: float) -> np.ndarray:
    each = [sums_of(*client) for client in clients]
    return FORMS[name].fit(closed_form.added(each), each, strength).rows


def unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def pooled(clients) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([x for x, _ in clients]), np.concatenate([y for _, y in clients])


@pytest.mark.parametrize("strength", [1e-6, 0.01, 3.0])
def test_ridge_is_the_regression_on_all_examples_at_once(clients, strength: float) -> None:
    features, labels = pooled(clients)
    alpha = strength * np.trace(features.T @ features) / WIDTH
    oracle = Ridge(alpha=alpha, fit_intercept=False).fit(features, np.eye(CLASSES)[labels])
    np.testing.assert_allclose(fitted("ridge", clients, strength), unit(oracle.coef_), atol=1e-9)


def test_class_means_are_those_of_all_examples_and_an_absent_class_has_none(clients) -> None:
    features, labels = pooled(clients)
    rows = fitted("ncm", clients, 0.0)
    for label in range(3):
        mean = features[labels == label].mean(0)
        np.testing.assert_allclose(rows[label], mean / np.linalg.norm(mean), atol=1e-12)
    assert not rows[3].any()


def test_covariances_from_class_means_follow_the_papers_sums(clients) -> None:
    features, labels = pooled(clients)
    overall = features.mean(0)
    second = len(labels) * np.outer(overall, overall)
    for label in range(3):
        mean = features[labels == label].mean(0)
        own = [x[y == label] for x, y in clients if (y == label).any()]
        scatter = sum(len(x) * np.outer(x.mean(0) - mean, x.mean(0) - mean) for x in own)
        second = second + ((labels == label).sum() - 1) * scatter / (len(own) - 1)
    second += 0.01 * np.trace(second) / WIDTH * np.eye(WIDTH)
    oracle = np.linalg.solve(second, (np.eye(CLASSES)[labels].T @ features).T).T
    np.testing.assert_allclose(fitted("cof", clients, 0.01), unit(oracle), atol=1e-9)


def test_with_one_example_a_client_the_covariance_is_that_of_the_examples() -> None:
    """Then the class means of a client are its examples, and nothing is estimated."""
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1], 20)
    features = generator.normal(size=(40, WIDTH)) + labels[:, None]
    each = [sums_of(features[i : i + 1], labels[i : i + 1]) for i in range(40)]
    within = sum(19 * np.cov(features[labels == label].T) for label in (0, 1))
    overall = features.mean(0)
    second = within + 40 * np.outer(overall, overall)
    oracle = np.linalg.solve(second, (np.eye(CLASSES)[labels].T @ features).T).T
    rows = FORMS["cof"].fit(closed_form.added(each), each, 0.0).rows
    np.testing.assert_allclose(rows, unit(oracle), atol=1e-9)


def test_fewer_examples_than_features_have_a_head_all_the_same(clients) -> None:
    rows = fitted("ridge", clients[2:3], 0.01)
    assert np.isfinite(rows).all()
    assert rows.any()


@pytest.mark.parametrize("head", ["ridge", "cof"])
def test_a_second_moment_without_an_inverse_is_refused(clients, head) -> None:
    dead = [(x * np.asarray([1.0] * (WIDTH - 1) + [0.0]), y) for x, y in clients]
    with pytest.raises(UserError, match=r"--start_head_strength=0: .* singular"):
        fitted(head, dead, 0.0)
    assert np.isfinite(fitted(head, dead, 0.01)).all()


def test_calibration_draws_from_the_classes_own_covariances_lifted(clients, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(virtual_features, "drawn_evenly", lambda *given: seen.append(given))
    monkeypatch.setattr(virtual_features, "trained", lambda features, *given: given)
    features, labels = pooled(clients)
    by_class = [features[labels == label] for label in range(3)]
    second = np.stack([*(x.T @ x for x in by_class), np.zeros([WIDTH, WIDTH])])
    each = [sums_of(*client) for client in clients]
    total = dataclasses.replace(closed_form.added(each), second_moment=second)
    assert closed_form.calibrated(total, 0.3) == (CLASSES, 0.3)
    ((means, covariances, held),) = seen
    assert held.tolist() == [0, 1, 2]
    scatter = sum((len(x) - 1) * np.cov(x.T) for x in by_class)
    lift = 0.3 * np.trace(scatter) / (len(labels) - 3) / WIDTH
    for label, x in enumerate(by_class):
        np.testing.assert_allclose(means[label], x.mean(0))
        oracle = np.cov(x.T) + lift * np.eye(WIDTH)
        np.testing.assert_allclose(covariances[label], oracle, atol=1e-12)


def test_what_is_drawn_follows_a_covariance_to_its_last_digits() -> None:
    """Executors round differently, and the axes of equal sizes turn over at that."""
    tilted = np.eye(3) + 1e-9 * np.asarray([[0.0, 1, 1], [1, 0, -1], [1, -1, 0]])
    one, other = (
        virtual_features.drawn_evenly(np.zeros([1, 3]), covariance[None], np.asarray([0]))
        for covariance in (np.eye(3), tilted)
    )
    np.testing.assert_allclose(one.values, other.values, atol=1e-7)


def test_as_many_features_are_drawn_of_every_class_as_of_any() -> None:
    root = np.asarray([[2.0, 0.0], [1.0, 0.0]])
    found = virtual_features.drawn_evenly(
        np.asarray([[5.0, 5.0], [0.0, 9.0]]),
        np.stack([root @ root.T, np.eye(2)]),
        np.asarray([1, 3]),
    )
    assert [int((found.labels == label).sum()) for label in (1, 3)] == [2000, 2000]
    first = found.values[found.labels == 1]
    np.testing.assert_allclose(first.mean(0), [5.0, 5.0], atol=0.2)
    np.testing.assert_allclose(np.cov(first.T), root @ root.T, atol=0.3)
    # A singular covariance is that of a line, and so are its features.
    np.testing.assert_allclose(first[:, 0] - 5.0, 2.0 * (first[:, 1] - 5.0), atol=1e-6)
