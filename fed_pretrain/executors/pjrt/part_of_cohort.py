"""The clients of one device: in waves, within a wave by shape, within a shape in cohort order.

So many clients of one shape as fit into the device's memory are one launch. The order in which
updates are added depends on the clients alone, not on the memory or on who was read first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fed_pretrain.executors.executor import ClientInput

WAVE = 256
# A launch of a capacity is compiled anew, so there are few of them.
_CAPACITIES = tuple(4**power for power in range(5))

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
Read = Callable[[ClientInput], list[np.ndarray]]


class Launch(NamedTuple):
    """Clients of one shape; `places` are theirs in the wave."""

    places: list[int]
    clients: list[list[np.ndarray]]
    capacity: int


def waves(clients: Iterable[list[np.ndarray]]) -> Iterator[list[list[np.ndarray]]]:
    wave: list[list[np.ndarray]] = []
    for arrays in clients:
        wave.append(arrays)
        if len(wave) == WAVE:
            yield wave
            wave = []
    if wave:
        yield wave


def launches(wave: Sequence[list[np.ndarray]], budget: int, most: int) -> Iterator[Launch]:
    """`budget` is in bytes, and `most` in clients; 0 is no limit."""
    groups: dict[Shapes, list[int]] = {}
    for place, arrays in enumerate(wave):
        shapes = tuple((a.dtype.name, a.shape) for a in arrays)
        groups.setdefault(shapes, []).append(place)
    for places in sorted(groups.values(), key=lambda places: _bytes(wave[places[0]])):
        limit = max(1, budget // max(1, _bytes(wave[places[0]])))
        limit = min(limit, most or limit)
        largest = max(c for c in _CAPACITIES if c <= limit)
        for first in range(0, len(places), largest):
            part = places[first : first + largest]
            capacity = next(c for c in _CAPACITIES if c >= len(part))
            yield Launch(part, [wave[place] for place in part], capacity)


def _bytes(arrays: Sequence[np.ndarray]) -> int:
    return sum(a.nbytes for a in arrays)
