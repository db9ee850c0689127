"""What reaching a given accuracy costs: rounds and bytes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from fed_pretrain.experiment.workdir.metrics import bytes_to_target, rounds_to_target
from fed_pretrain.reporting import captions
from fed_pretrain.reporting.captions import left_chance
from fed_pretrain.reporting.estimates import estimate, over_seeds
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.numbers import fixed, listed, significant
from fed_pretrain.reporting.part import Html, Section
from fed_pretrain.reporting.results import FINAL, Run, Study, final
from fed_pretrain.reporting.shown import Shown, shown
from fed_pretrain.reporting.table import Cell, Table


def target(study: Study, task: str) -> float:
    """Nine tenths of the best mean accuracy with a random start that learned, or with any."""
    random_start = study.random_start(task)
    learned = random_start is not None and left_chance(study, task, random_start)
    means = [
        over_seeds(start.subjects(**wanted), final).mean
        for _, wanted in cells(study, task)
        for start in shown(study, task)
        if not learned or start.start == random_start
    ]
    return 0.9 * max((mean for mean in means if mean == mean), default=math.nan)


def cost_section(study: Study) -> Section | None:
    tasks = [_TaskCost(study, task) for task in study.tasks]
    tasks = [one for one in tasks if one.last_round > 0 and math.isfinite(one.goal)]
    if not tasks:
        return None
    body = Markup("").join(Markup('<div class="ab">{}</div>').format(one.html()) for one in tasks)
    return Section(
        "cost",
        _heading(tasks),
        [
            "Rounds and megabytes until the first evaluation at or above the target: 90 % of the"
            " best mean accuracy from random weights (of any start where those stayed at chance)."
            " Bytes count both ways over all clients of a round. Means are over the runs that"
            " reached it; a faint mark says that not all did, a cross that none did."
        ],
        [Html(Markup('<div class="three">{}</div>').format(body), [_table(tasks)])],
        topic="Cost",
    )


@dataclass(frozen=True)
class Reached:
    """`rounds` and `megabytes` of the runs that reached the target, of `runs` in all."""

    rounds: Sequence[float]
    megabytes: Sequence[float]
    runs: int

    @property
    def at_start(self) -> bool:
        return len(self.rounds) == self.runs > 0 and not any(self.rounds)

    @property
    def round(self) -> float:
        return estimate(self.rounds).mean


def reached(runs: Sequence[Run], goal: float) -> Reached:
    rounds = [rounds_to_target(run.rows, FINAL, goal) for run in runs]
    sent = [bytes_to_target(run.rows, FINAL, goal) for run in runs]
    return Reached(
        [float(value) for value in rounds if value is not None],
        [value / 1e6 for value in sent if value is not None],
        len(runs),
    )


@dataclass(frozen=True)
class _TaskCost:
    study: Study
    task: str

    @cached_property
    def goal(self) -> float:
        return target(self.study, self.task)

    @cached_property
    def starts(self) -> list[Shown]:
        return shown(self.study, self.task)

    @property
    def last_round(self) -> int:
        runs = self.study.select(task=self.task)
        return max((int(run.rows[-1]["round"]) for run in runs if run.rows), default=0)

    @cached_property
    def rows(self) -> list[tuple[str, dict[Shown, Reached]]]:
        return [
            (label, {one: reached(one.runs(**wanted), self.goal) for one in self.starts})
            for label, wanted in cells(self.study, self.task)
        ]

    @property
    def subjects(self) -> list[dict[Shown, Reached]]:
        """The rows without those of an IID control."""
        control = captions.has_iid_pair(self.study, self.task)
        places = [wanted.get("partition") for _, wanted in cells(self.study, self.task)]
        return [
            found
            for (_, found), partition in zip(self.rows, places, strict=True)
            if not (control and partition in captions.IID_NAMES)
        ]

    def html(self) -> Markup:
        heads = Markup("").join(
            Markup('<th scope="col"><span class="key {}{}"></span>{}</th>').format(
                one.ink, one.ring, one.name
            )
            for one in self.starts
        )
        rows = Markup("").join(self._row(label, found) for label, found in self.rows)
        return Markup(
            '<h4>{}: to accuracy {}</h4><div class="wide"><table class="co sortable"><thead><tr>'
            '<th scope="col">algorithm</th><th class="pl" scope="col">round 0 to {}</th>{}</tr>'
            "</thead><tbody>{}</tbody></table></div>"
        ).format(Names(self.study).task(self.task), fixed(self.goal), self.last_round, heads, rows)

    def _row(self, label: str, found: dict[Shown, Reached]) -> Markup:
        values = Markup("").join(_cell(one) for one in found.values())
        return Markup('<tr><th scope="row">{}</th><td class="pl">{}</td>{}</tr>').format(
            label, self._dots(found), values
        )

    def _dots(self, found: dict[Shown, Reached]) -> Markup:
        parts = [Markup('<line class="base" x1="0" x2="100%" y1="11" y2="11"/>')]
        for index, (start, one) in enumerate(found.items()):
            parts.append(self._dot(start, one, 11 + (index - (len(found) - 1) / 2) * 6))
        drawn = '<svg class="cst" width="100%" height="22" aria-hidden="true">{}</svg>'
        return Markup(drawn).format(Markup("").join(parts))

    def _dot(self, start: Shown, one: Reached, y: float) -> Markup:
        kind = start.ink
        if not one.rounds:
            return Markup('<text class="miss {}" x="98%" y="{}">×</text>').format(kind, y + 4)
        kind += start.ring + ("" if len(one.rounds) == one.runs else " faint")
        at = round(100 * one.round / self.last_round, 1)
        return Markup('<circle class="d {}" cx="{}%" cy="{}" r="3.4"/>').format(kind, at, y)


def _cell(one: Reached) -> Markup:
    if not one.rounds:
        return Markup('<td class="no" data-v="inf">not reached</td>')
    share = f"{len(one.rounds)} of {one.runs} runs" if len(one.rounds) < one.runs else ""
    what = (
        "at the start" if one.at_start
        else f"round {significant(one.round)} · {significant(estimate(one.megabytes).mean, 3)} MB"
    )  # fmt: skip
    return Markup('<td data-v="{}">{} <small>{}</small></td>').format(one.round, what, share)


def _heading(tasks: Sequence[_TaskCost]) -> str:
    """Where the pre-trained start has the target at once, where sooner, where not."""
    at_once, sooner = [], []
    for one in tasks:
        names, random_start = Names(one.study), one.study.random_start(one.task)
        for start in one.study.pretrained_starts(one.task):
            mine = [found[Shown(one.study, one.task, start)] for found in one.subjects]
            place = names.place(one.task, start)
            if mine and all(found.at_start for found in mine):
                at_once.append(place)
            elif random_start is not None and _sooner(one, start, random_start):
                sooner.append(place)
    parts = []
    if at_once:
        parts.append(f"before any training on {listed(at_once)}")
    if sooner:
        parts.append(f"sooner on {listed(sooner)}")
    if not parts:
        return "No pre-trained start reaches the target sooner throughout"
    return f"Pre-trained weights reach the target {', '.join(parts)}"


def _sooner(cost: _TaskCost, start: str, random_start: str) -> bool:
    """For every algorithm, counting a run that never got there as one that takes too long."""

    def rounds(one: Reached) -> float:
        missing = one.runs - len(one.rounds)
        return sum(one.rounds) + missing * 2.0 * cost.last_round

    ends = [Shown(cost.study, cost.task, one) for one in (start, random_start)]
    return all(rounds(found[ends[0]]) < rounds(found[ends[1]]) for found in cost.subjects)


def _table(tasks: Sequence[_TaskCost]) -> Table:
    rows: list[list[Cell]] = [
        [
            Names(one.study).task(one.task), label, start.name, one.goal, found.round,
            estimate(found.megabytes).mean, len(found.rounds), found.runs, one.last_round,
        ]
        for one in tasks
        for label, by_start in one.rows
        for start, found in by_start.items()
    ]  # fmt: skip
    header = [
        "task",
        "algorithm",
        "start",
        "target",
        "rounds",
        "megabytes",
        "reached",
        "runs",
        "of rounds",
    ]
    return Table("cost", "Rounds and megabytes to the target accuracy", header, rows)
