"""Heads in closed form from sums over clients: one pass over the data, no training.

With phi the input of the head, n_c the examples of class c and K_c the clients that hold it:

    ncm    W_c = mean of phi over class c                        FedNCM (2306.03937)
    ridge  W = (G + lambda I)^-1 B, G = sum phi phi', B = sum phi y'   Fed3R (2406.01116)
    cof    the same, with the second moment estimated from the clients' class means alone:
           Sigma_c = sum_k n_kc (mu_kc - mu_c)(mu_kc - mu_c)' / (K_c - 1) + gamma I,
           G = sum_c (n_c - 1) Sigma_c + N mu mu'                 FedCOF (2412.14326)

Rows of W are scaled to length one, so that no class wins by its size, and all of them by one factor
that makes the loss of the training examples least. There is no bias.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

SCALES = np.geomspace(1e-2, 1e4, 121)
"""The factors that are tried; neighbours are 12 % apart."""


@dataclasses.dataclass(frozen=True)
class ClassSums:
    """What clients send: by class the sum of phi (a row each) and the number of examples.

    second_moment: the sum of phi phi', where the head asks for it.
    """

    features: np.ndarray
    counts: np.ndarray
    second_moment: np.ndarray | None = None

    @property
    def means(self) -> np.ndarray:
        """A row a class, zero for a class without examples."""
        return self.features / np.maximum(self.counts, 1.0)[:, None]


Fit = Callable[[ClassSums, Sequence[ClassSums], float], np.ndarray]


@dataclasses.dataclass(frozen=True)
class ClosedForm:
    """`fit` takes the sums over all clients, those of each, and the strength.

    wants_second_moment: clients send phi phi'. wants_each: the server needs each client's sums,
    which no secure sum gives.
    """

    name: str
    paper: str
    fit: Fit
    wants_second_moment: bool = False
    wants_each: bool = False
    regularised: bool = True


def class_means(total: ClassSums, each: Sequence[ClassSums], strength: float) -> np.ndarray:
    return total.means


def ridge(total: ClassSums, each: Sequence[ClassSums], strength: float) -> np.ndarray:
    assert total.second_moment is not None
    return _solve(total.second_moment, total.features, strength)


def from_covariance(total: ClassSums, each: Sequence[ClassSums], strength: float) -> np.ndarray:
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
    return _solve(second, total.features, strength)


def _solve(second_moment: np.ndarray, features: np.ndarray, strength: float) -> np.ndarray:
    """`strength` is in units of the mean eigenvalue, so that a scale of phi changes nothing."""
    size = len(second_moment)
    lift = strength * float(np.trace(second_moment)) / size
    solved: np.ndarray = np.linalg.solve(second_moment + lift * np.eye(size), features.T).T
    return solved


FORMS: Mapping[str, ClosedForm] = {
    form.name: form
    for form in (
        ClosedForm("ncm", "2306.03937", class_means, regularised=False),
        ClosedForm("ridge", "2406.01116", ridge, wants_second_moment=True),
        ClosedForm("cof", "2412.14326", from_covariance, wants_each=True),
    )
}


def directions(
    form: ClosedForm, total: ClassSums, each: Sequence[ClassSums], strength: float
) -> np.ndarray:
    """A row of length one a class; zero where no client holds the class."""
    weights = form.fit(total, each, strength)
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    return weights / np.where(lengths > 0, lengths, 1.0)


def added(each: Sequence[ClassSums]) -> ClassSums:
    """The sums over several clients."""
    seconds = [client.second_moment for client in each if client.second_moment is not None]
    return ClassSums(
        np.sum([client.features for client in each], axis=0),
        np.sum([client.counts for client in each], axis=0),
        np.sum(seconds, axis=0) if seconds else None,
    )
