"""Oracles: scikit-learn's logistic regression, and the moments of what is drawn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fed_pretrain.starts import virtual_features
from fed_pretrain.starts.closed_form import FORMS, ClassSums
from fed_pretrain.starts.virtual_features import Features, Gaussians, drawn, trained

WIDTH = 5


@pytest.fixture(scope="module")
def features() -> Features:
    generator = np.random.default_rng(0)
    labels = generator.choice([0, 2, 3], size=80)
    values = 30.0 + 4.0 * generator.normal(size=(80, WIDTH)) + labels[:, None] * np.arange(WIDTH)
    return Features(values, labels, generator.uniform(0.2, 3.0, size=80))


def test_the_head_is_the_weighted_logistic_regression_on_features_of_unit_scale(features) -> None:
    share = features.weights / features.weights.sum()
    middle = share @ features.values
    scale = np.sqrt(share @ ((features.values - middle) ** 2).sum(1))
    x = (features.values - middle) / scale
    oracle = LogisticRegression(C=WIDTH / 0.5, tol=1e-10, max_iter=5000)
    oracle.fit(x, features.labels, sample_weight=share)
    head = trained(features, 5, 0.5)
    there = [0, 2, 3]
    np.testing.assert_allclose(head.rows[there] * scale, oracle.coef_, atol=1e-4)
    bias = head.bias[there] + head.rows[there] @ middle
    np.testing.assert_allclose(bias, oracle.intercept_ - oracle.intercept_.mean(), atol=1e-4)
    assert not head.rows[[1, 4]].any()
    assert not head.bias[[1, 4]].any()


def test_a_scale_of_the_features_changes_no_answer(features) -> None:
    one = trained(features, 4, 0.01)
    other = trained(features._replace(values=1e-3 * features.values), 4, 0.01)
    np.testing.assert_allclose(other.rows * 1e-3, one.rows, atol=1e-4)


def test_one_class_alone_and_features_that_overflow_give_no_direction(features) -> None:
    alone = features._replace(labels=np.full(80, 2))
    assert not trained(alone, 4, 0.01).rows.any()
    assert np.isnan(trained(features._replace(values=features.values * np.inf), 4, 0.01).rows).all()


def gaussians(counts) -> Gaussians:
    means = np.asarray([[100.0, -1.0], [3.0, 4.0]])
    return Gaussians(np.asarray([4, 7]), np.asarray(counts), means, np.asarray([[4, 9], [0, 0.0]]))


def test_as_many_are_drawn_of_each_gaussian_as_it_has_examples() -> None:
    found = drawn(gaussians([6000.0, 2000.0]), 0.5)
    first = found.values[found.labels == 4]
    assert len(first) == 6000
    assert (found.weights == 1.0).all()
    np.testing.assert_allclose(first.mean(0), [100.0, -1.0], atol=0.15)
    # The mean variance is 6000 / 8000 * 6.5; half of it lifts each.
    lifted = 0.5 * 0.75 * 6.5
    np.testing.assert_allclose(first.var(0), [4 + lifted, 9 + lifted], rtol=0.05)
    np.testing.assert_allclose(found.values[found.labels == 7].var(0), lifted, rtol=0.1)


def test_of_many_examples_fewer_are_drawn_and_each_counts_for_more() -> None:
    found = drawn(gaussians([3e6, 1e6]), 0.01)
    assert len(found.values) == virtual_features.MOST
    sums = [found.weights[found.labels == label].sum() for label in (4, 7)]
    np.testing.assert_allclose(sums, [3e6, 1e6])


@pytest.mark.parametrize("kind", ["diagonal", "spherical"])
def test_gaussians_of_a_clients_sums_have_the_moments_of_its_examples(monkeypatch, kind) -> None:
    generator = np.random.default_rng(2)
    labels = np.asarray([0, 0, 0, 2, 2, 1])
    x = generator.normal(size=(6, WIDTH)) * np.arange(1, 1 + WIDTH)
    hot = np.eye(4)[labels]
    squares = hot.T @ x**2 if kind == "diagonal" else hot.T @ (x**2).sum(1)
    sums = ClassSums(hot.T @ x, hot.sum(0), squares)
    seen = []
    monkeypatch.setattr(
        virtual_features, "trained_head", lambda *given: seen.append(given) or trained_nothing()
    )
    FORMS["gaussian"].fit(sums, [sums, sums], 0.25)
    (found, classes, strength), *_ = seen
    assert (classes, strength) == (4, 0.25)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.counts.tolist() == [3, 1, 2, 3, 1, 2]
    for row, label in enumerate([0, 1, 2]):
        own = x[labels == label]
        np.testing.assert_allclose(found.means[row], own.mean(0))
        spread = own.var(0) if kind == "diagonal" else np.full(WIDTH, own.var(0).mean())
        np.testing.assert_allclose(found.variances[row], spread, atol=1e-12)


def trained_nothing() -> virtual_features.Head:
    return virtual_features.Head(np.zeros([4, WIDTH]), np.zeros(4))


def test_sums_that_noise_has_made_senseless_give_a_finite_head() -> None:
    generator = np.random.default_rng(3)
    sums = ClassSums(
        generator.normal(size=(4, WIDTH)),
        np.asarray([3.0, -2.0, 0.2, 5.0]),
        -np.ones([4, WIDTH]),
    )
    head = FORMS["gaussian"].fit(sums, [], 0.01)
    assert np.isfinite(head.rows).all()
    assert not head.rows[[1, 2]].any()
