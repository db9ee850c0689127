"""A head that the server trains on features it draws from Gaussians of the clients' classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundwork import randomness

MOST = 20_000
"""Features that are drawn in all; each counts for as many examples as it is drawn for."""
MOST_OF_A_CLASS = 2_000
"""CCVR's own number of virtual features of a class."""
_STEPS = 500


class Head(NamedTuple):
    """A row and a bias a class; zeros for a class that nobody holds."""

    rows: np.ndarray
    bias: np.ndarray


class Gaussians(NamedTuple):
    """A row a Gaussian: its class, its number of examples, its mean, its variance by feature."""

    labels: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    variances: np.ndarray


class Features(NamedTuple):
    """A row a feature: what was drawn, its class and the number of examples that it stands for."""

    values: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def trained_head(gaussians: Gaussians, classes: int, strength: float) -> Head:
    return trained(drawn(gaussians, strength), classes, strength)


def drawn(gaussians: Gaussians, strength: float) -> Features:
    """As many of each Gaussian as it has examples, fewer of all where these are more than MOST.

    Every variance is lifted by `strength` times the mean one: that of one example is zero.
    """
    total = float(gaussians.counts.sum())
    share = min(1.0, MOST / total) if total else 0.0
    times = np.maximum(1, np.rint(share * gaussians.counts)).astype(int)
    each = np.repeat(np.arange(len(times)), times)
    mean_variance = gaussians.counts @ gaussians.variances.mean(1) / total if total else 0.0
    noise = randomness.generator(0, "virtual features").normal(size=gaussians.means[each].shape)
    spread = np.sqrt(gaussians.variances + strength * mean_variance)[each]
    return Features(
        gaussians.means[each] + spread * noise,
        gaussians.labels[each],
        (gaussians.counts / times)[each],
    )


def drawn_evenly(means: np.ndarray, covariances: np.ndarray, labels: np.ndarray) -> Features:
    """As many of every class, from whole covariances, which may be singular.

    By the symmetric root, which follows a covariance to its last digit: axes turn over at a touch.
    """
    times = max(1, min(MOST_OF_A_CLASS, MOST // max(1, len(labels))))
    generator = randomness.generator(0, "virtual features")
    values = []
    for mean, covariance in zip(means, covariances, strict=True):
        sizes, axes = np.linalg.eigh(covariance)
        root = (axes * np.sqrt(np.maximum(sizes, 0.0))) @ axes.T
        values.append(mean + generator.normal(size=[times, len(mean)]) @ root)
    return Features(np.concatenate(values), np.repeat(labels, times), np.ones(times * len(labels)))


def trained(features: Features, classes: int, strength: float) -> Head:
    """Multinomial logistic regression among the classes that are there.

    The penalty is half of `strength` times the mean eigenvalue of the features' second moment about
    their mean, times the squared length of the rows: a scale of the features changes nothing.
    """
    from scipy import optimize

    there = np.unique(features.labels)
    head = Head(np.zeros([classes, features.values.shape[1]]), np.zeros(classes))
    if not np.isfinite(features.values).all():
        return Head(np.full_like(head.rows, np.nan), head.bias)
    if len(there) < 2:
        return head
    share = features.weights / features.weights.sum()
    middle = share @ features.values
    scale = np.sqrt(share @ ((features.values - middle) ** 2).sum(1)) or 1.0
    x = (features.values - middle) / scale
    hot = (features.labels[:, None] == there).astype(np.float64)
    penalty = strength / x.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(len(there), -1)
        rows, bias = weights[:, :-1], weights[:, -1]
        logits = x @ rows.T + bias
        logits -= logits.max(1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(1, keepdims=True)
        away = share[:, None] * (powers / sums - hot)
        value = share @ (np.log(sums[:, 0]) - (hot * logits).sum(1))
        slope = np.column_stack([away.T @ x + penalty * rows, away.sum(0)])
        return float(value + penalty / 2 * (rows**2).sum()), slope.ravel()

    first = np.zeros(len(there) * (x.shape[1] + 1))
    options = {"maxiter": _STEPS, "gtol": 1e-6, "ftol": 1e-11}
    found = optimize.minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x
    found = found.reshape(len(there), -1)
    head.rows[there] = found[:, :-1] / scale
    head.bias[there] = found[:, -1] - head.rows[there] @ middle
    return head
