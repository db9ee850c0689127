"""Runs aligned for a comparison: every side has the same seeds, algorithms and grid places."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fed_pretrain.reporting.results import FINAL, Run, final, unique

Measure = Callable[[Run], float]


def first(column: str) -> Measure:
    return lambda run: run.first(column)


@dataclass(frozen=True)
class Block:
    """cells[side][algorithm][seed] are runs; several where a side has points of a sweep.

    left_out: what lacks a seed and so is not compared, in words.
    """

    cells: Mapping[str, Mapping[str, Mapping[int, Sequence[Run]]]]
    seeds: tuple[int, ...]
    algorithms: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    called: Callable[[str], str] = str

    def __bool__(self) -> bool:
        return bool(self.seeds and self.algorithms)

    def values(self, side: str, measure: Measure = final) -> np.ndarray:
        """Seed × algorithm, each the mean over the side's points of the grid."""
        cells = self.cells[side]
        return np.array(
            [
                [np.mean([measure(run) for run in cells[a][s]]) for a in self.algorithms]
                for s in self.seeds
            ]
        )

    def runs(self, side: str) -> list[Run]:
        cells = self.cells[side]
        return [run for a in self.algorithms for s in self.seeds for run in cells[a][s]]

    def of_algorithms(self, names: Iterable[str]) -> "Block":
        kept = set(names)
        return replace(self, algorithms=tuple(a for a in self.algorithms if a in kept))

    def of_seeds(self, seeds: Iterable[int]) -> "Block":
        kept = set(seeds)
        return replace(self, seeds=tuple(s for s in self.seeds if s in kept))

    def example(self, algorithm: str) -> Run:
        """A run of the algorithm, for its settings."""
        side = next(iter(self.cells.values()))
        return side[algorithm][self.seeds[0]][0]

    def without_twins(self) -> "Block":
        """An algorithm whose runs equal another's bit for bit in all seeds counts once."""
        seen: dict[object, str] = {}
        for name in self.algorithms:
            runs = [run for side in self.cells for run in self.of_algorithms([name]).runs(side)]
            # Accuracies alone may tie.
            losses = tuple(tuple(run.series("eval_loss")[1]) for run in runs)
            ends = tuple(tuple(run.series(FINAL)[1]) for run in runs)
            seen.setdefault((losses, ends) if any(losses) else name, name)
        twins = [name for name in self.algorithms if name not in seen.values()]
        kept = self.of_algorithms(seen.values())
        words = tuple(f"{self.called(name)} equals another algorithm bit for bit" for name in twins)
        return replace(kept, left_out=(*self.left_out, *words))


Place = frozenset[tuple[str, object]]


def aligned(
    sides: Mapping[str, Iterable[Run]],
    seeds: Sequence[int],
    apart: Sequence[str],
    called: Callable[[str], str] = str,
) -> Block:
    """Pairs the sides on every coordinate but seed and `apart`; `called` names algorithms.

    An algorithm that lacks a seed leaves, not the seed; a seed leaves where all algorithms lack it.
    """
    found = {side: _by_place(runs, apart) for side, runs in sides.items()}
    places = [set(by_place) for by_place in found.values()]
    common = set.intersection(*places) if places else set()
    algorithms = unique(a for by_place in found.values() for a, _ in by_place)
    algorithms = [a for a in algorithms if any(name == a for name, _ in common)]
    cells = {
        side: {a: _cells(by_place, [p for p in common if p[0] == a]) for a in algorithms}
        for side, by_place in found.items()
    }

    def has(algorithm: str, seed: int) -> bool:
        return all(cells[side][algorithm].get(seed) for side in cells)

    kept = [seed for seed in seeds if any(has(a, seed) for a in algorithms)]
    whole = [a for a in algorithms if all(has(a, seed) for seed in kept)]
    if not whole and algorithms:
        whole = [max(algorithms, key=lambda a: sum(has(a, seed) for seed in kept))]
        kept = [seed for seed in kept if has(whole[0], seed)]
    words = [f"{called(a)} lacks a seed and is left out" for a in algorithms if a not in whole]
    words += [f"seed {seed} is missing" for seed in seeds if seed not in kept and algorithms]
    return Block(cells, tuple(kept), tuple(whole), tuple(words), called)


ByPlace = dict[tuple[str, Place], dict[int, list[Run]]]


def _by_place(runs: Iterable[Run], apart: Sequence[str]) -> ByPlace:
    found: ByPlace = {}
    for run in runs:
        rest = frozenset(
            (name, value)
            for name, value in run.coordinates.items()
            if name not in (*apart, "seed", "algorithm")
        )
        found.setdefault((run.algorithm, rest), {}).setdefault(run.seed, []).append(run)
    return found


def _cells(by_place: ByPlace, places: Sequence[tuple[str, Place]]) -> dict[int, list[Run]]:
    """The runs of each seed that has them at every place."""
    if not places:
        return {}
    needed = [max(len(runs) for runs in by_place[place].values()) for place in places]
    seeds = unique(seed for place in places for seed in by_place[place])
    return {
        seed: [run for place in places for run in by_place[place][seed]]
        for seed in seeds
        if all(
            len(by_place[place].get(seed, ())) == number
            for place, number in zip(places, needed, strict=True)
        )
    }
