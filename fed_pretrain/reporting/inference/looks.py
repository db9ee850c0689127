"""When a study is judged, and what looking again and judging many claims at once cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.untyped import Json

# A study that adds seeds is judged at these numbers of them; the weights share out the level.
LADDER: Mapping[int, float] = {5: 0.4, 8: 0.3, 12: 0.2, 20: 0.1}
LEVEL = 0.05


@dataclass(frozen=True)
class Looks:
    """Numbers of seeds at which a study is judged, each with its share of the level."""

    weights: Mapping[int, float]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.weights)

    @property
    def most(self) -> int:
        return self.sizes[-1]


def one_look(seeds: int) -> Looks:
    return Looks({seeds: 1.0})


def ladder(at_least: int, at_most: int) -> Looks:
    """The looks of a plan. A higher `at_most` adds looks and leaves the weights of the others."""
    begun = {n: weight for n, weight in LADDER.items() if n >= at_least}
    whole = sum(begun.values())
    return Looks({n: round(weight / whole, 9) for n, weight in begun.items() if n <= at_most})


def of_plan(plan: Mapping[str, Json]) -> Looks | None:
    """The looks that a plan, as `study.json` holds it, has declared; None where seeds are fixed."""
    sizes = plan.get("looks")
    return ladder(sizes[0], sizes[-1]) if sizes else None


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order."""
    adjusted, largest = [1.0] * len(p), 0.0
    for place, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, (len(p) - place) * p[index])
        adjusted[index] = min(1.0, largest)
    return adjusted
