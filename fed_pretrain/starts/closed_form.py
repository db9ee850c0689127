"""Heads in closed form from sums over clients: one pass over the data, no training.

With phi the input of the head, n_c the examples of class c and K_c the clients that hold it:

    ncm    W_c = mean of phi over class c                        FedNCM (2306.03937)
    ridge  W = (G + lambda I)^-1 B, G = sum phi phi', B = sum phi y'   Fed3R (2406.01116)
    cof    the same, with the second moment estimated from the clients' class means alone:
           Sigma_c = sum_k n_kc (mu_kc - mu_c)(mu_kc - mu_c)' / (K_c - 1) + gamma I,
           G = sum_c (n_c - 1) Sigma_c + N mu mu'                 FedCOF (2412.14326)
    gaussian  trained by the server on features that it draws from the clients' Gaussians of each
           class, or from those of all clients where it sees their sums alone   FedPFT (2402.01862)

Rows of W but the last's are scaled to length one, so that no class wins by its size, and have no
bias. All of them are scaled by one factor that makes the loss of the training examples least.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fed_pretrain.starts import virtual_features
from fed_pretrain.starts.virtual_features import Gaussians, Head
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class ClassSums:
    """What clients send: by class the sum of phi (a row each) and the number of examples.

    second_moment: what the head asks for of `feature_sums.SECOND_MOMENTS`.
    """

    features: np.ndarray
    counts: np.ndarray
    second_moment: np.ndarray | None = None

    @property
    def means(self) -> np.ndarray:
        """A row a class, zero for a class without examples."""
        return self.features / np.maximum(self.counts, 1.0)[:, None]


Fit = Callable[[ClassSums, Sequence[ClassSums], float], Head]


@dataclasses.dataclass(frozen=True)
class ClosedForm:
    """`fit` takes the sums over all clients, those of each, and the strength.

    wants_each: the server needs each client's sums, which no secure sum gives; `does_without`: the
    head can be fitted to the sums over all clients, too. from_mixtures: it asks for a second moment
    by class, and a client may send several of each class.
    """

    name: str
    paper: str
    fit: Fit
    second_moment: str | None = None
    wants_each: bool = False
    does_without: bool = False
    from_mixtures: bool = False
    regularised: bool = True


def class_means(total: ClassSums, each: Sequence[ClassSums], strength: float) -> Head:
    return _directions(total.means)


def ridge(total: ClassSums, each: Sequence[ClassSums], strength: float) -> Head:
    assert total.second_moment is not None
    return _directions(_solve(total.second_moment, total.features, strength))


def from_covariance(total: ClassSums, each: Sequence[ClassSums], strength: float) -> Head:
    means = total.means
    overall = total.features.sum(0) / total.counts.sum()
    second = total.counts.sum() * np.outer(overall, overall)
    for label in np.flatnonzero(total.counts):
        holders = [client for client in each if client.counts[label]]
        if len(holders) > 1:
            away = np.stack([client.means[label] - means[label] for client in holders])
            weights = np.asarray([client.counts[label] for client in holders])
            share = (total.counts[label] - 1) / (len(holders) - 1)
            second += share * (away * weights[:, None]).T @ away
    return _directions(_solve(second, total.features, strength))


def from_gaussians(total: ClassSums, each: Sequence[ClassSums], strength: float) -> Head:
    """One Gaussian for each class of each of `each`; none of a class without a whole example."""
    found = [_gaussians(sums) for sums in each or [total]]
    whole = Gaussians(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    return virtual_features.trained_head(whole, len(total.counts), strength)


def calibrated(total: ClassSums, strength: float) -> Head:
    """CCVR (2106.05001): trained on as many features of every class, drawn from its Gaussian.

        Sigma_c = (sum_k (n_kc - 1) Sigma_kc + sum_k n_kc mu_kc mu_kc' - n_c mu_c mu_c') / (n_c - 1)

    whose first two sums are the second moment of the class. Covariances are lifted by `strength`
    times their mean eigenvalue, since those of few examples are singular.
    """
    assert total.second_moment is not None
    held = np.flatnonzero(total.counts)
    counts, means = total.counts[held, None, None], total.means[held]
    outer = np.einsum("cd,ce->cde", means, means)
    if not np.isfinite(total.second_moment).all():
        return Head(np.full_like(total.features, np.nan), np.zeros(len(total.counts)))
    scatter = total.second_moment[held] - counts * outer
    width = means.shape[1]
    lift = strength * np.trace(scatter.sum(0)) / max(1.0, total.counts.sum() - len(held)) / width
    covariances = scatter / np.maximum(counts - 1, 1.0) + lift * np.eye(width)
    features = virtual_features.drawn_evenly(means, covariances, held)
    return virtual_features.trained(features, len(total.counts), strength)


def _gaussians(sums: ClassSums) -> Gaussians:
    """Noisy sums may say anything: then a variance is zero, which the strength lifts."""
    assert sums.second_moment is not None
    held = np.flatnonzero(sums.counts >= 0.5)
    counts, means = sums.counts[held], sums.features[held] / sums.counts[held, None]
    squares = sums.second_moment[held]
    if squares.ndim == 1:
        spread = (squares / counts - (means**2).sum(1)) / means.shape[1]
        squares = np.broadcast_to(spread[:, None], means.shape)
    else:
        squares = squares / counts[:, None] - means**2
    return Gaussians(held, counts, means, np.maximum(squares, 0.0))


def _directions(weights: np.ndarray) -> Head:
    """Rows of length one; zero where no client holds the class."""
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    return Head(weights / np.where(lengths > 0, lengths, 1.0), np.zeros(len(weights)))


def _solve(second_moment: np.ndarray, features: np.ndarray, strength: float) -> np.ndarray:
    """`strength` is in units of the mean eigenvalue, so that a scale of phi changes nothing."""
    size = len(second_moment)
    lift = strength * float(np.trace(second_moment)) / size
    try:
        solved: np.ndarray = np.linalg.solve(second_moment + lift * np.eye(size), features.T).T
    except np.linalg.LinAlgError:
        why = "give a larger strength (default 0.01)" if lift or not strength else "it is zero"
        raise UserError(
            f"--start_head_strength={strength:g}: the second moment of the {size} features that the"
            f" head is given is singular: {why}"
        ) from None
    return solved


FORMS: Mapping[str, ClosedForm] = {
    form.name: form
    for form in (
        ClosedForm("ncm", "2306.03937", class_means, regularised=False),
        ClosedForm("ridge", "2406.01116", ridge, second_moment="whole"),
        ClosedForm("cof", "2412.14326", from_covariance, wants_each=True),
        ClosedForm(
            *("gaussian", "2402.01862", from_gaussians),
            wants_each=True,
            does_without=True,
            from_mixtures=True,
        ),
    )
}


def added(each: Sequence[ClassSums]) -> ClassSums:
    """The sums over several clients."""
    seconds = [client.second_moment for client in each if client.second_moment is not None]
    return ClassSums(
        np.sum([client.features for client in each], axis=0),
        np.sum([client.counts for client in each], axis=0),
        np.sum(seconds, axis=0) if seconds else None,
    )
