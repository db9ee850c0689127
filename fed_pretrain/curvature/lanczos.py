"""Extreme eigenvalues by Lanczos with full re-orthogonalisation and honest residuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fed_pretrain.curvature.linear_operator import Counted, Operator, unit_vector

End = Literal["largest", "smallest"]
# Of a start from known vectors: by itself one that is no longer the outermost would stay.
_SHARE_OF_RANDOM = 0.1


@dataclass(frozen=True)
class Eigenpair:
    """`residual` is ||H v - value v||, measured with a separate product.

    Some true eigenvalue lies within `residual` of `value`.
    """

    value: float
    residual: float
    vector: np.ndarray

    @property
    def relative_residual(self) -> float | None:
        """None for a zero eigenvalue."""
        return self.residual / abs(self.value) if self.value else None


@dataclass(frozen=True)
class LanczosResult:
    """Eigenpairs from the wanted end inwards; `converged` speaks of every one of them."""

    pairs: tuple[Eigenpair, ...]
    converged: bool
    iterations: int
    matvecs: int
    seed: int


class Tridiagonal:
    """The Krylov basis and its tridiagonal matrix, grown one product at a time."""

    def __init__(self, operator: Operator, start: np.ndarray) -> None:
        self._operator = operator
        self._basis = [start]
        self.alphas: list[float] = []
        self.betas: list[float] = []

    @property
    def exhausted(self) -> bool:
        """The basis spans an invariant subspace: the Ritz values in it are exact."""
        scale = max((abs(alpha) for alpha in self.alphas), default=0.0)
        tiny = float(np.finfo(np.float64).eps) * max(scale, float(np.finfo(np.float64).tiny))
        steps = len(self.alphas)
        return steps >= self._operator.size or (steps > 0 and self.betas[-1] <= 10 * tiny)

    def grow(self) -> None:
        current = self._basis[len(self.alphas)]
        product = self._operator.matvec(current)
        self.alphas.append(float(current @ product))
        # Twice is enough (Parlett): one pass leaves rounding errors that breed copies.
        for _ in range(2):
            for vector in self._basis:
                product -= (vector @ product) * vector
        self.betas.append(float(np.linalg.norm(product)))
        if not self.exhausted:
            self._basis.append(product / self.betas[-1])

    def ritz(self) -> tuple[np.ndarray, np.ndarray]:
        """Ritz values in ascending order and their coordinates in the basis."""
        import scipy.linalg

        return scipy.linalg.eigh_tridiagonal(self.alphas, self.betas[:-1])

    def vector(self, coordinates: np.ndarray) -> np.ndarray:
        result = np.zeros(self._operator.size)
        for weight, basis_vector in zip(coordinates, self._basis, strict=False):
            result += weight * basis_vector
        return result / np.linalg.norm(result)


def eigenpairs(
    operator: Operator,
    count: int = 1,
    end: End = "largest",
    *,
    seed: int = 0,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
    on_iteration: Callable[[int, float, float], None] | None = None,
    near: Sequence[np.ndarray] = (),
) -> LanczosResult:
    """The `count` algebraically largest (or smallest) eigenvalues.

    `near` are eigenvectors of a similar matrix, such as the Hessian of some rounds before; the
    search then begins at their sum. Those of another size are passed over.

    Stops when every wanted relative residual bound |beta s| / |theta| is below `tolerance`;
    otherwise after `max_iterations`, and then says so. `on_iteration` sees (iteration, value,
    relative residual bound).
    """
    counted = Counted(operator)
    krylov = Tridiagonal(counted, _start(operator.size, seed, near))
    wanted = np.arange(count)
    while True:
        krylov.grow()
        values, coordinates = krylov.ritz()
        order = np.argsort(values) if end == "smallest" else np.argsort(-values)
        chosen = order[wanted[wanted < len(values)]]
        bounds = np.abs(krylov.betas[-1] * coordinates[-1, chosen])
        relative = bounds / np.maximum(np.abs(values[chosen]), np.finfo(np.float64).tiny)
        iterations = len(krylov.alphas)
        if on_iteration is not None:
            on_iteration(iterations, float(values[chosen[0]]), float(relative.max()))
        enough = len(chosen) == count and bool(np.all(relative <= tolerance))
        if enough or krylov.exhausted or iterations >= max_iterations:
            break
    pairs = tuple(
        _measured(counted, float(values[index]), krylov.vector(coordinates[:, index]))
        for index in chosen
    )
    # Float32 products cannot show a residual below their own rounding: allow for it.
    converged = len(pairs) == count and all(
        pair.residual <= 1.1 * tolerance * abs(pair.value) for pair in pairs
    )
    return LanczosResult(pairs, converged or krylov.exhausted, iterations, counted.matvecs, seed)


def _start(size: int, seed: int, near: Sequence[np.ndarray]) -> np.ndarray:
    random = unit_vector(size, seed, "lanczos")
    fitting = [vector for vector in near if len(vector) == size]
    if not fitting:
        return random
    known = np.sum(fitting, axis=0, dtype=np.float64)
    start = known / np.linalg.norm(known) + _SHARE_OF_RANDOM * random
    return start / np.linalg.norm(start)


def _measured(operator: Operator, value: float, vector: np.ndarray) -> Eigenpair:
    residual = float(np.linalg.norm(operator.matvec(vector) - value * vector))
    return Eigenpair(value, residual, vector)


@dataclass(frozen=True)
class PowerResult:
    """`pair.value` may be negative: it is the largest in absolute value."""

    pair: Eigenpair
    converged: bool
    iterations: int
    matvecs: int
    seed: int


def dominant_eigenpair(
    operator: Operator, *, seed: int = 0, max_iterations: int = 100, tolerance: float = 1e-3
) -> PowerResult:
    """Multiplies until the relative residual is below `tolerance`."""
    counted = Counted(operator)
    vector = unit_vector(operator.size, seed, "power_iteration")
    for iteration in range(1, max_iterations + 1):
        product = counted.matvec(vector)
        value = float(vector @ product)
        residual = float(np.linalg.norm(product - value * vector))
        pair = Eigenpair(value, residual, vector)
        length = float(np.linalg.norm(product))
        if residual <= tolerance * abs(value) or length == 0.0:
            return PowerResult(pair, True, iteration, counted.matvecs, seed)
        vector = product / length
    return PowerResult(pair, False, max_iterations, counted.matvecs, seed)
