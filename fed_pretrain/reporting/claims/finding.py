"""What a claim's statistic gives for some seeds: an effect, its p-values, its interval, guards."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fed_pretrain.reporting.inference import student
from fed_pretrain.reporting.inference.student import UNTESTED, Sides

Interval = tuple[float, float]
# From the probability of missing the effect to the interval; None where too few seeds give one.
Bounds = Callable[[float], Interval | None]
# The floor of a deviation, as a share of the mean's size, where nothing is known of its rounding.
_RELATIVE_FLOOR = 1e-6


@dataclass(frozen=True)
class Guard:
    """A condition without which a row means nothing, proven at the same level as the row itself.

    p: one-sided, small where the condition is met. likely: whether it seems to be met, so that
    more seeds may prove it. group: of the ledger's groups, where it does not.
    """

    p: float
    likely: bool
    why: str
    group: str = "guard"


def broken(why: str, group: str = "guard") -> Guard:
    """A condition that no number of seeds will meet."""
    return Guard(1.0, False, why, group)


@dataclass(frozen=True)
class Finding:
    """values: by seed. identical: every value is zero, and no test is needed to call it so.

    existential: it can be seen here or not, and refutes nothing where it is not.
    """

    values: Mapping[int, float]
    estimate: float
    sides: Sides
    bounds: Bounds
    guards: Sequence[Guard] = ()
    notes: Sequence[str] = ()
    identical: bool = False
    existential: bool = False
    failing: bool = field(default=False)
    """Some runs of it failed, so it speaks of the seeds that train."""

    @property
    def guarded(self) -> Sides:
        """Its p-values once its guards are proven, too; floats."""
        sides = Sides(float(self.sides.up), float(self.sides.down), float(self.sides.same))
        return sides.at_least(max((guard.p for guard in self.guards), default=0.0))

    def beside(self, guards: Sequence[Guard] = (), notes: Sequence[str] = ()) -> "Finding":
        return replace(self, guards=[*self.guards, *guards], notes=[*self.notes, *notes])


def nothing(why: str) -> Finding:
    """A row whose statistic has no value in any seed."""
    return Finding({}, math.nan, UNTESTED, lambda level: None, [broken(why)])


def of_values(
    values: Mapping[int, float],
    margin: float | None,
    floor: float | None = None,
    shift: float = 0.0,
) -> Finding:
    """Student's t over seeds. `shift` is added before testing: "not worse by more than" it."""
    finite = {seed: value for seed, value in values.items() if math.isfinite(value)}
    if not finite:
        return nothing("no seed has a value")
    raw = np.array(list(finite.values()))
    floor = _RELATIVE_FLOOR * abs(float(raw.mean())) if floor is None else floor
    notes = [f"no value in seed {seed}" for seed in values if seed not in finite]
    shown = raw + shift
    if len(raw) < 2:
        return Finding(finite, float(shown[0]), UNTESTED, lambda level: None, notes=notes)

    def bounds(level: float) -> Interval:
        low, high = student.bounds(shown, level, floor)
        return float(low), float(high)

    return Finding(
        finite if not shift else {seed: value + shift for seed, value in finite.items()},
        float(shown.mean()),
        student.sides(shown, None if shift else margin, floor),
        bounds,
        notes=[*notes, *_rests_on(finite, shift)],
        identical=not raw.any(),
    )


def _rests_on(values: Mapping[int, float], shift: float = 0.0) -> list[str]:
    """The seeds without which the sign would be the other one."""
    if len(values) < 3:
        return []
    total, n = sum(values.values()) + shift * len(values), len(values)
    turning = [
        seed for seed, value in values.items() if total * (total - value - shift) < 0 and n > 1
    ]
    return [f"rests on seed {seed}" for seed in turning]


def as_existential(result: Finding) -> Finding:
    return replace(result, existential=True)
