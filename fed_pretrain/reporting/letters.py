"""Which of several means can be told apart, as letters: those that share one cannot."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.stats

_LEVEL = 0.05
# Of a difference of accuracies: what rounding alone gives on a thousand examples.
_LEAST_DEVIATION = 4e-4

BySeed = Mapping[int, float]
Pair = tuple[int, int]


def resolved(groups: Sequence[BySeed]) -> set[Pair]:
    """The pairs that differ by a paired t test over their shared seeds, after Holm's correction."""
    pairs = list(itertools.combinations(range(len(groups)), 2))
    p_values = [_paired_p(groups[a], groups[b]) for a, b in pairs]
    found = set()
    for done, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > _LEVEL / (len(pairs) - done):
            break
        found.add(pairs[index])
    return found


def _paired_p(first: BySeed, second: BySeed) -> float:
    differences = [first[seed] - second[seed] for seed in first if seed in second]
    if len(differences) < 2 or not any(differences):
        return 1.0
    deviation = max(float(np.std(differences, ddof=1)), _LEAST_DEVIATION)
    t = float(np.mean(differences)) / deviation * math.sqrt(len(differences))
    return float(2 * scipy.stats.t.sf(abs(t), len(differences) - 1))


def compact_letters(order: Sequence[int], apart: set[Pair]) -> dict[int, str]:
    """Of `order`, best first: a letter for each largest set in which no pair is told apart."""

    def together(a: int, b: int) -> bool:
        return (min(a, b), max(a, b)) not in apart

    cliques = _cliques(list(order), together)
    cliques.sort(key=lambda clique: [order.index(one) for one in sorted(clique, key=order.index)])
    letters = dict.fromkeys(order, "")
    for number, clique in enumerate(cliques):
        for one in clique:
            letters[one] += chr(ord("a") + number) if number < 26 else f"({number})"
    return letters


def _cliques(members: list[int], together: Callable[[int, int], bool]) -> list[set[int]]:
    """Bron and Kerbosch's maximal cliques."""
    found: list[set[int]] = []

    def extend(chosen: set[int], open_: set[int], closed: set[int]) -> None:
        if not open_ and not closed:
            found.append(chosen)
        for one in sorted(open_):
            near = {other for other in members if other != one and together(one, other)}
            extend(chosen | {one}, open_ & near, closed & near)
            open_ = open_ - {one}
            closed = closed | {one}

    extend(set(), set(members), set())
    return found
