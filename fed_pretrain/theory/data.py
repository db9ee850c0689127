"""The data model: every sample has a signal patch, y mu, and a noise patch orthogonal to it.

Class 0 is y = +1 and class 1 is y = -1 where there are two; more classes have orthogonal signals.
"""

import dataclasses

import numpy as np

from fed_pretrain.theory.setting import Problem


@dataclasses.dataclass(frozen=True)
class Draw:
    """Everything random of one seed, in units of sigma_p and sigma_0."""

    noise: np.ndarray  # [clients, samples, d], projected
    weights: np.ndarray  # [classes, filters, d]
    test_labels: np.ndarray  # [points]
    test_noise: np.ndarray  # [points, d], projected


def draw(problem: Problem, seed: int, basis: np.ndarray | None = None) -> Draw:
    """In the order noise by client, weights by class, test labels, test noise."""
    return draw_from(np.random.default_rng(seed), problem, basis)


def draw_from(
    generator: np.random.Generator, problem: Problem, basis: np.ndarray | None = None
) -> Draw:
    basis = signals(problem) if basis is None else basis
    d = problem.dimension
    noise = np.stack(
        [generator.standard_normal((problem.samples, d)) for _ in range(problem.clients)]
    )
    weights = np.stack(
        [generator.standard_normal((problem.filters, d)) for _ in range(problem.classes)]
    )
    test_labels = (
        problem.classes - 1 - generator.integers(problem.classes, size=problem.test_points)
    )
    test_noise = generator.standard_normal((problem.test_points, d))
    return Draw(
        without(noise, basis[: problem.directions]),
        weights,
        test_labels,
        without(test_noise, basis[: problem.directions]),
    )


def signals(problem: Problem, cosine: float = 1.0) -> np.ndarray:
    """[classes, d] unit signals; `cosine` turns them away from those of the task."""
    away = np.sqrt(max(0.0, 1.0 - cosine**2))
    found = np.zeros((problem.classes, problem.dimension))
    for direction in range(problem.directions):
        found[direction, direction] = cosine
        found[direction, problem.directions + direction] = away
    if problem.classes == 2:
        found[1] = -found[0]
    return found


def without(noise: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The noise with its part along these orthonormal directions taken out."""
    return noise - (noise @ basis.T) @ basis


def patches(noise: np.ndarray, signal_patches: np.ndarray) -> np.ndarray:
    """[..., clients, samples + classes, d]: a client's noise patches, then the signal patches.

    Every gradient of the network is a combination of these rows.
    """
    shape = (*noise.shape[:-2], *signal_patches.shape[-2:])
    spread = np.broadcast_to(np.expand_dims(signal_patches, -3), shape)
    return np.concatenate([noise, spread], axis=-2)
