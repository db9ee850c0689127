"""A start of controlled quality: weights pushed off by noise, or blended with another start."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from groundwork import randomness
from groundwork.errors import UserError

_BLEND = re.compile(r"^(?P<spec>.+):(?P<share>[0-9.eE+-]+)$")


def parse_blend(text: str) -> tuple[str, float]:
    """`random:0.5` is half random initialisation, half the start."""
    match = _BLEND.match(text)
    try:
        share = float(match.group("share")) if match else -1.0
    except ValueError:
        share = -1.0
    if match is None or not 0.0 <= share <= 1.0:
        raise UserError(
            f"--start_blend is {text!r}, must be START:SHARE with a share of 0 to 1, for example "
            "random:0.5"
        )
    return match.group("spec"), share


def with_noise(name: str, value: np.ndarray, level: float, seed: int) -> np.ndarray:
    """Adds Gaussian noise of `level` times the tensor's own root mean square.

    Moving statistics stay: a variance pushed below zero is not a worse start but no network at all.
    """
    if name.rsplit("/", 1)[-1].startswith("moving_"):
        return value
    scale = level * float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))) if value.size else 0
    noise = randomness.generator(seed, "start noise", name).standard_normal(value.shape)
    return (value + scale * noise).astype(value.dtype)


def blended(value: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """(1 - share) of the start and `share` of the other; the ends are exact."""
    if share in (0.0, 1.0):
        return (other if share else value).copy()
    mixed = (1.0 - share) * value.astype(np.float64) + share * other.astype(np.float64)
    return mixed.astype(value.dtype)


def check_shapes(mine: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> None:
    for name, value in mine.items():
        if name not in others or others[name].shape != value.shape:
            raise UserError(f"--start_blend: the other start has no tensor {name} of that shape")
