"""The spectral density by stochastic Lanczos quadrature (Ghorbani et al. 2019, sec. 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fed_pretrain.curvature.lanczos import Tridiagonal
from fed_pretrain.curvature.linear_operator import Counted, Operator, unit_vector
from groundwork import randomness


@dataclass(frozen=True)
class SpectralDensity:
    """Nodes and weights of the quadrature; the weights of one start vector sum to one."""

    nodes: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    matvecs: int
    seed: int

    def on_grid(self, grid: np.ndarray, width: float) -> np.ndarray:
        """The density smoothed by Gaussians of standard deviation `width`."""
        density = np.zeros_like(grid, dtype=np.float64)
        for nodes, weights in zip(self.nodes, self.weights, strict=True):
            distances = (grid[:, None] - nodes[None, :]) / width
            density += np.exp(-0.5 * distances**2) @ weights
        return density / (len(self.nodes) * width * np.sqrt(2 * np.pi))

    def moment(self, power: int) -> float:
        """Estimate of trace(H^power) / size."""
        return float(np.mean([w @ n**power for n, w in zip(self.nodes, self.weights, strict=True)]))


def spectral_density(
    operator: Operator, *, vectors: int = 4, steps: int = 40, seed: int = 0
) -> SpectralDensity:
    counted = Counted(operator)
    nodes, weights = [], []
    for number in range(vectors):
        start = unit_vector(operator.size, seed, "spectral_density", number)
        krylov = Tridiagonal(counted, start)
        while len(krylov.alphas) < steps and not krylov.exhausted:
            krylov.grow()
        values, coordinates = krylov.ritz()
        nodes.append(values)
        weights.append(coordinates[0] ** 2)
    return SpectralDensity(tuple(nodes), tuple(weights), counted.matvecs, seed)


@dataclass(frozen=True)
class TraceEstimate:
    trace: float
    standard_error: float
    samples: int
    seed: int


def hutchinson_trace(operator: Operator, *, samples: int = 16, seed: int = 0) -> TraceEstimate:
    """Mean of z'Hz over random signs z; one sample has no standard error: NaN."""
    values = []
    for number in range(samples):
        generator = randomness.generator(seed, "hutchinson", number)
        signs = generator.integers(0, 2, operator.size) * 2.0 - 1.0
        values.append(float(signs @ operator.matvec(signs)))
    error = float(np.std(values, ddof=1) / np.sqrt(samples)) if samples > 1 else float("nan")
    return TraceEstimate(float(np.mean(values)), error, samples, seed)
