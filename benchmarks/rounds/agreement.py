"""Whether contestants did the same work: their weights after each of three rounds.

From fresh weights SGD at 0.1 can multiply a difference of rounding a hundredfold a round: the
bound itself, begun one unit in the last place away (`nudged`), then ends as far from itself as
stock TFF does. `native` is our own process in TFF's worker: it tells what that worker's kernels,
which another build of TensorFlow brings, round differently. Where such a difference outgrows the
tolerance, the comparison is made again from weights 20 rounds old, past the steep beginning.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from benchmarks.rounds.contestant import Contestant, Weights

ROUNDS = 3
TOLERANCE = 1e-4
WARM_UP_ROUNDS = 20
REFERENCE = "bound"


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Largest absolute difference to the bound's weights after each round, by contestant."""

    start: str
    differences: Mapping[str, list[float]]
    moved: float

    def holds(self, *names: str) -> bool:
        """Also false if nothing was learned: then anything would agree."""
        return max(self.differences[name][-1] for name in names) < TOLERANCE < self.moved


def compare(contestants: Mapping[str, Contestant], begin: Weights, start: str) -> Agreement:
    paths = {name: trajectory(contestant, begin) for name, contestant in contestants.items()}
    reference = paths[REFERENCE]
    return Agreement(
        start,
        {name: distances(path, reference) for name, path in paths.items()},
        difference(begin, reference[-1]),
    )


def trajectory(contestant: Contestant, begin: Weights) -> list[Weights]:
    contestant.restart(begin)
    path = []
    for _ in range(ROUNDS):
        contestant.round()
        path.append(contestant.weights())
    return path


def distances(path: list[Weights], reference: list[Weights]) -> list[float]:
    return [difference(one, other) for one, other in zip(path, reference, strict=True)]


def difference(one: Weights, other: Weights) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def nudged(weights: Weights) -> Weights:
    """Each weight one unit in the last place up or down."""
    generator = np.random.default_rng(0)
    ends = np.array([-np.inf, np.inf], np.float32)
    return [np.nextafter(w, ends[generator.integers(0, 2, w.shape)]) for w in weights]


def warmed_up(contestant: Contestant, begin: Weights) -> Weights:
    contestant.restart(begin)
    for _ in range(WARM_UP_ROUNDS):
        contestant.round()
    return contestant.weights()
