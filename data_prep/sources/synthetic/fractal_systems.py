"""Iterated function systems: a few affine maps of the plane, and the set that they keep."""

import dataclasses

import numpy as np

MOST_MAPS = 4
_LOWEST, _HIGHEST = 5.0, 6.0
_DRAWS = 4096
_REACHED, _KEPT = 16, 16


@dataclasses.dataclass(frozen=True)
class System:
    """x -> matrices[k] x + shifts[k], where k is drawn with `chances`."""

    matrices: np.ndarray
    shifts: np.ndarray

    @property
    def chances(self) -> np.ndarray:
        """By how much each map shrinks an area, so that the set is filled evenly."""
        areas = np.abs(np.linalg.det(self.matrices)) + 1e-6
        return areas / areas.sum()


def draw(rng: np.random.Generator) -> System:
    """One whose set has structure (Anderson and Farrell 2022).

    With singular values s1 >= s2 of each of n maps, sum(s1 + 2 s2) lies between (5 + n) / 2 and
    (6 + n) / 2: maps that shrink more leave dust, maps that shrink less leave noise. Draws that
    miss it are drawn again.
    """
    n = int(rng.integers(2, MOST_MAPS + 1))
    values = np.sort(rng.random((_DRAWS, n, 2)), axis=2)
    factor = (values[..., 1] + 2 * values[..., 0]).sum(axis=1)
    fits = np.flatnonzero((factor >= (_LOWEST + n) / 2) & (factor <= (_HIGHEST + n) / 2))
    small, large = values[fits[0]].T
    singular = np.zeros((n, 2, 2))
    singular[:, 0, 0], singular[:, 1, 1] = large, small
    signs = np.zeros((n, 2, 2))
    signs[:, 0, 0], signs[:, 1, 1] = rng.choice([-1.0, 1.0], (2, n))
    matrices = _rotations(rng, n) @ singular @ _rotations(rng, n) @ signs
    return System(matrices, rng.uniform(-1.0, 1.0, (n, 2)))


def varied(system: System, rng: np.random.Generator, by: float = 0.2) -> System:
    """The same system with the numbers of one map scaled (Kataoka et al. 2020)."""
    matrices, shifts = system.matrices.copy(), system.shifts.copy()
    which = int(rng.integers(len(shifts)))
    scaled = matrices[which] * rng.uniform(1 - by, 1 + by, (2, 2))
    if np.linalg.norm(scaled, 2) < 1.0:
        matrices[which] = scaled
    shifts[which] *= rng.uniform(1 - by, 1 + by, 2)
    return System(matrices, shifts)


def points(system: System, rng: np.random.Generator, number: int) -> np.ndarray:
    """Points of the set: of many walks at once, after steps enough to have reached it."""
    walks = -(-number // _KEPT)
    maps = np.searchsorted(np.cumsum(system.chances)[:-1], rng.random((_REACHED + _KEPT, walks)))
    (a, b), (c, d) = system.matrices.transpose(1, 2, 0)
    e, f = system.shifts.T
    x = y = np.zeros(walks)
    kept = []
    for step, k in enumerate(maps):
        x, y = a[k] * x + b[k] * y + e[k], c[k] * x + d[k] * y + f[k]
        if step >= _REACHED:
            kept.append(np.stack([x, y], axis=1))
    return np.concatenate(kept)[:number]


def render(found: np.ndarray, size: int, margin: float) -> np.ndarray:
    """How dense the points are, as a picture of bytes; the set fills it up to a margin."""
    low, high = np.percentile(found, [1, 99], axis=0)
    middle, reach = (low + high) / 2, max(float((high - low).max()) / 2, 1e-9)
    scaled = (found - middle) / reach * (1 - margin) / 2 + 0.5
    inside = ((scaled >= 0) & (scaled < 1)).all(axis=1)
    x, y = (scaled[inside] * size).astype(int).T
    counts = np.zeros((size, size))
    np.add.at(counts, (y, x), 1.0)
    bright = np.log1p(counts)
    return np.round(255 * bright / max(bright.max(), 1e-9)).astype(np.uint8)


def _rotations(rng: np.random.Generator, n: int) -> np.ndarray:
    angles = rng.uniform(0, 2 * np.pi, n)
    return np.stack(
        [
            np.stack([np.cos(angles), -np.sin(angles)], 1),
            np.stack([np.sin(angles), np.cos(angles)], 1),
        ],
        1,
    )
