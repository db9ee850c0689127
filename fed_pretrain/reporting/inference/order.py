"""In which order algorithms are, as far as it is proven. Arrays are seed × algorithm.

A pair is resolved when its paired t, two-sided, is at most the level over the number of pairs; the
variance is each pair's own, since one algorithm may be far noisier than another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fed_pretrain.reporting.inference import student
from fed_pretrain.reporting.inference.student import Sides, Values


def pairs(y: np.ndarray, floor: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p and sign of every pair (i, j), i before j; a tie is sign 0."""
    i, j = np.triu_indices(y.shape[-1], 1)
    z = np.swapaxes(y[..., i] - y[..., j], -1, -2)
    up, down = student.one_sided(z, floor)
    return np.minimum(1.0, 2 * np.minimum(up, down)), np.sign(z.mean(axis=-1))


Pairs = tuple[np.ndarray, np.ndarray]


def pairs_of(groups: Sequence[np.ndarray], floor: float = 0.0) -> Pairs:
    """The pairs within each group, such as the servers and the client updates of a grid."""
    found = [pairs(group, floor) for group in groups]
    return np.concatenate([p for p, _ in found], -1), np.concatenate([s for _, s in found], -1)


# This many of the pairs are proven to be in the same order in both where tau is at least 0.8.
_SAME_SHARE = 0.9


def reversal(first: Pairs, other: Pairs) -> Sides:
    """Up: some pair is in opposite orders, both proven. Down: tau of the true means is >= 0.8."""
    (p_first, s_first), (p_other, s_other) = first, other
    number = p_first.shape[-1]
    both = np.maximum(p_first, p_other)
    opposite = s_first * s_other < 0
    turned = number * np.where(opposite, both, 1.0).min(axis=-1)
    needed = int(np.ceil(_SAME_SHARE * number))
    kept = number * np.sort(np.where(s_first * s_other > 0, both, 1.0), axis=-1)[..., needed - 1]
    up, down = (np.minimum(1.0, q) / 2 for q in (turned, kept))
    return Sides(np.where(turned >= 1, 1.0, up), np.where(kept >= 1, 1.0, down), np.ones_like(up))


def reversed_pairs(first: Pairs, other: Pairs, level: float) -> tuple[Values, Values]:
    """The least and the most pairs of the true means that are in opposite orders."""
    (p_first, s_first), (p_other, s_other) = first, other
    number = p_first.shape[-1]
    proven = np.maximum(p_first, p_other) <= level / number
    turned = (proven & (s_first * s_other < 0)).sum(axis=-1)
    same = (proven & (s_first * s_other > 0)).sum(axis=-1)
    return turned, number - same


@dataclass(frozen=True)
class Order:
    """The proven order of the algorithms of one start.

    best, worst: the ranks each may have. letters: two algorithms share one where no pair of those
    that have it is resolved.
    """

    best: tuple[int, ...]
    worst: tuple[int, ...]
    letters: tuple[str, ...]

    def rank(self, index: int) -> str:
        best, worst = self.best[index], self.worst[index]
        return str(best) if best == worst else f"{best}–{worst}"


def proven_order(y: np.ndarray, level: float = 0.05, floor: float = 0.0) -> Order:
    k = y.shape[-1]
    p, sign = pairs(y, floor)
    resolved = np.zeros((k, k), int)
    i, j = np.triu_indices(k, 1)
    better = np.where(p <= level / max(1, len(p)), sign, 0).astype(int)
    resolved[i, j], resolved[j, i] = better, -better
    best = tuple(int(1 + (row < 0).sum()) for row in resolved)
    worst = tuple(int(k - (row > 0).sum()) for row in resolved)
    return Order(best, worst, _letters(resolved, y.mean(axis=0)))


def _letters(resolved: np.ndarray, means: np.ndarray) -> tuple[str, ...]:
    """The largest groups without a resolved pair, lettered from the best."""
    groups: list[frozenset[int]] = []
    _cliques(frozenset(), set(range(len(means))), set(), resolved, groups)
    groups.sort(key=lambda group: sorted((-means[i], i) for i in group))
    return tuple(
        "".join(_letter(n) for n, group in enumerate(groups) if i in group)
        for i in range(len(means))
    )


def _letter(number: int) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return alphabet[number] if number < len(alphabet) else f"({number + 1})"


def _cliques(
    chosen: frozenset[int],
    open_: set[int],
    closed: set[int],
    resolved: np.ndarray,
    found: list[frozenset[int]],
) -> None:
    """Bron and Kerbosch: every maximal set of algorithms without a resolved pair."""
    if not open_ and not closed:
        found.append(chosen)
        return
    for index in sorted(open_):
        near = {other for other in range(len(resolved)) if other != index}
        near = {other for other in near if not resolved[index, other]}
        _cliques(chosen | {index}, open_ & near, closed & near, resolved, found)
        open_ = open_ - {index}
        closed = closed | {index}
