"""Final accuracy of every algorithm under every start, and which of them can be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from markupsafe import Markup

from fed_pretrain.reporting import captions, guessing
from fed_pretrain.reporting.charts.scale import Scale, covering
from fed_pretrain.reporting.charts.strip import strip
from fed_pretrain.reporting.claims.claim import MARGIN
from fed_pretrain.reporting.estimates import Estimate, by_seed, estimate, over_seeds, paired
from fed_pretrain.reporting.inference import order
from fed_pretrain.reporting.inference.looks import LEVEL
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, fixed, listed, signed, span
from fed_pretrain.reporting.part import Html, Section
from fed_pretrain.reporting.results import Study, final
from fed_pretrain.reporting.shown import Shown, shown, table
from fed_pretrain.reporting.table import HIGHEST, Cell, Table


def algorithms_section(study: Study) -> Section | None:
    tables = [_table(study, task) for task in study.tasks if study.starts(task)]
    if not tables:
        return None
    lists = [
        AlgorithmList(study, task, one.start) for task in study.tasks for one in shown(study, task)
    ]
    lists = [one for one in lists if len(one.labels) > 1]
    if not lists:
        return Section(
            "accuracy", _ends(study), [_HELD_OUT], tables=tables,
            topic="Final accuracy",
        )  # fmt: skip
    pairs = sum(len(one.labels) * (len(one.labels) - 1) // 2 for one in lists)
    apart = sum(len(one.apart) for one in lists)
    scale = covering([v for one in lists for v in one.reach], include=[0.0, -3 * MARGIN])
    body = Markup("").join(
        Markup('<div class="ab">{}</div>').format(one.html(scale)) for one in lists
    )
    text = [
        "Best first in each list; each further row is its paired difference from the first, with"
        " the 95 % interval over seeds. Algorithms that share a letter cannot be told apart (paired"
        " t tests, their level divided by the number of pairs of a list)."
    ]
    return Section(
        "accuracy",
        f"{apart} of {counted(pairs, 'pair')} can be told apart",
        text,
        [
            Html(
                Markup('<div class="three ag">{}</div>').format(body),
                [*tables, _lists_table(lists)],
            )
        ],
        topic="Algorithms",
        printed=[*tables, _lists_table(lists)],
        notes=[
            f"Within {MARGIN} of the first (the grey band) is as good as equal. The first was"
            f" picked on the same data, so differences from it are a little too large. {_HELD_OUT}"
        ],
    )


def _ends(study: Study) -> str:
    """Where one algorithm is all there is: the mean of each start."""
    names = Names(study)
    parts = []
    for task in study.tasks:
        means = [
            f"{fixed(over_seeds(runs, final).mean)} from {one.name}"
            for one in shown(study, task)
            if (runs := one.subjects())
        ]
        parts.append(f"{names.task(task)}: {listed(means)}")
    return "; ".join(parts)


_HELD_OUT = (
    "Accuracy is on held-out data, which takes no part in training; a plan that tunes its rates"
    " does so on its own validation split."
)


@dataclass(frozen=True)
class AlgorithmList:
    """The algorithms of one task and start, over the points of a sweep, without controls."""

    study: Study
    task: str
    start: str

    @property
    def shown(self) -> Shown:
        return Shown(self.study, self.task, self.start)

    @cached_property
    def _finals(self) -> dict[str, dict[int, float]]:
        found = {
            Names(self.study).algorithm(name): by_seed(self.shown.subjects(algorithm=name), final)
            for name in self.study.values("algorithm", task=self.task)
        }
        return {label: values for label, values in found.items() if values}

    @cached_property
    def labels(self) -> list[str]:
        """Best first; equal means in the plan's order."""
        return sorted(self._finals, key=lambda label: -self.mean(label).mean)

    def mean(self, label: str) -> Estimate:
        return estimate(self._finals[label].values())

    @cached_property
    def _array(self) -> np.ndarray:
        """Seed by algorithm, over the seeds that all have."""
        finals = [self._finals[label] for label in self.labels]
        seeds = sorted(set.intersection(*(set(one) for one in finals)))
        return np.array([[one[seed] for one in finals] for seed in seeds])

    @cached_property
    def _floor(self) -> float:
        return guessing.of_task(self.study, self.task).floor

    @cached_property
    def apart(self) -> set[tuple[int, int]]:
        """The pairs, by their places in `labels`, that differ clearly."""
        if len(self._array) < 2:
            return set()
        p, _ = order.pairs(self._array, self._floor)
        pairs = combinations(range(len(self.labels)), 2)
        return {pair for pair, one in zip(pairs, p, strict=True) if one <= LEVEL / len(p)}

    def letters(self) -> Sequence[str]:
        if len(self._array) < 2:
            return ["a"] * len(self.labels)
        return order.proven_order(self._array, LEVEL, self._floor).letters

    def behind(self, label: str) -> Estimate:
        return paired(self._finals[label], self._finals[self.labels[0]])

    @property
    def reach(self) -> list[float]:
        """What the strips must show: the differences, and the intervals that are not huge."""
        found = []
        for label in self.labels[1:]:
            difference = self.behind(label)
            wide = 3 * max(abs(difference.mean), MARGIN)
            ends = (difference.low, difference.high) if difference.has_interval else ()
            found += [difference.mean, *(max(-wide, min(wide, end)) for end in ends)]
        return found

    def html(self, scale: Scale) -> Markup:
        rows = Markup("").join(
            self._row(scale, label, letters)
            for label, letters in zip(self.labels, self.letters(), strict=True)
        )
        task, start = Names(self.study).task(self.task), self.shown
        return Markup(
            '<h4><span class="key {}{}"></span>{}, from {}</h4><table class="al"><thead><tr>'
            '<th scope="col">algorithm</th><th scope="col">mean</th><th class="pl" scope="col">'
            '<span class="vh">difference drawn</span></th><th scope="col">to first, ± 95 %</th>'
            '<th scope="col">group</th></tr></thead><tbody>{}</tbody></table>'
        ).format(start.ink, start.ring, task, start.name, rows)

    def _row(self, scale: Scale, label: str, letters: str) -> Markup:
        first = label == self.labels[0]
        difference = self.behind(label)
        if first:
            drawn, told = strip(scale, 0.0, None, kind="ref", height=16, margin=MARGIN), "highest"
        else:
            interval = (difference.low, difference.high) if difference.has_interval else None
            drawn = strip(scale, difference.mean, interval, kind="plain", height=16, margin=MARGIN)
            told = signed(difference.mean)
        half = ""
        if not first and difference.has_interval:
            half = f" {span(difference.low, difference.high)}"
        return Markup(
            '<tr><th scope="row">{}</th><td>{}</td><td class="pl">{}</td><td class="df">{}'
            '<span>{}</span></td><td class="gp">{}</td></tr>'
        ).format(label, fixed(self.mean(label).mean), drawn, told, half, letters)


def _table(study: Study, task: str) -> Table:
    told = f"final accuracy with its 95 % interval; {captions.setting(study, task)}"
    return table(study, task, "accuracy", told, HIGHEST, final)


def _lists_table(lists: Sequence[AlgorithmList]) -> Table:
    rows: list[list[Cell]] = []
    for one in lists:
        names = Names(one.study)
        for label, letters in zip(one.labels, one.letters(), strict=True):
            place = [names.task(one.task), one.shown.name, label]
            rows.append([*place, one.mean(label), one.behind(label), letters])
    header = ["task", "start", "algorithm", "accuracy", "difference from first", "group"]
    caption = "Algorithms, best first; those that share a letter cannot be told apart"
    return Table("algorithms", caption, header, rows)
