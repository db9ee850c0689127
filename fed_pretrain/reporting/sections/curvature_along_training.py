"""The top Hessian eigenvalue, the loss and 2/rate by round, and what they say of a table."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Frame, Level, Line, Panel, PanelRow
from fed_pretrain.reporting.estimates import Estimate, estimate
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.numbers import listed, significant
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Run, Study, unique
from fed_pretrain.reporting.shown import Shown, lines, shown
from fed_pretrain.reporting.table import Cell, Table

TOP = "top_eigenvalue"
# Of the pre-trained start, as a reading finds it.
FLATTER, SHARPER = "flatter", "sharper"
# Letters of comparisons that a heading names one by one.
_SHORT = 60
_FRAME = Frame(330, 176, 40, 66, 8, 30, singles=False)


def along_training_section(study: Study) -> Section | None:
    """None where no run has measured curvature in more than one round."""
    places = [place for task in study.tasks for place in _places(study, task) if place.measured]
    if not places:
        return None
    chart = Curves(
        "curvature_along_training",
        "Mean over seeds; band: the lowest to the highest seed. Dotted: 2 over the clients' rate,"
        " above which gradient descent steps too far along the sharpest direction; and the loss of"
        " guessing.",
        (
            PanelRow(
                "Top eigenvalue", tuple(place.eigenvalues() for place in places),
                "of the training loss, on the same examples in every round", logarithmic=True,
            ),
            PanelRow(
                "Held-out loss", tuple(place.losses() for place in places), "nats", from_zero=True
            ),
        ),
        tuple(place.title for place in places),
        frame=_FRAME,
    )  # fmt: skip
    readings = [reading for place in places for reading in place.readings()]
    told = _heading(readings)
    return Section(
        "curvature_along_training",
        told,
        [_TEXT, *([_verdict(readings)] if readings else [])],
        [chart],
        [_table(readings)] if readings else [],
        topic="Why: curvature along training",
        notes=[
            f"Each of the {len(readings)} readings has its own 95 % interval, without a correction"
            " for their number: they describe these runs and decide no claim."
        ],
        answer=f"{told}." if readings else "",
    )


_TEXT = (
    "The paper's Table 1 gives random weights a loss below that of guessing, which no model has"
    " before it is trained; so its eigenvalues may be those of later rounds. Each reading below"
    " compares the two starts at another moment of the same runs: the log of random over"
    " pre-trained, above zero where the pre-trained start is flatter, as the paper says."
)


@dataclass(frozen=True)
class Reading:
    """The log ratio of top eigenvalues, random over pre-trained, at one moment of the runs."""

    place: str
    start: str
    moment: str
    ratio: Estimate

    @property
    def verdict(self) -> str:
        if not self.ratio.has_interval:
            return "one seed"
        if self.ratio.low > 0:
            return FLATTER
        return SHARPER if self.ratio.high < 0 else "not clear"


def _places(study: Study, task: str) -> Iterator["_Place"]:
    """Each cell with every start at its own rates and, where there are controls, at equal ones."""
    names, several = Names(study), len(cells(study, task)) > 1
    for label, wanted in cells(study, task):
        own = {one.start: one.runs(**wanted) for one in shown(study, task)}
        parts = [names.task(task)] if len(study.tasks) > 1 else []
        parts += [label] if several else []
        crossed = [run for run in study.controls if _matches(run, {"task": task, **wanted})]
        title = ", ".join([*parts, *(["own rates"] if crossed else [])])
        yield _Place(study, task, title or names.task(task), own)
        for rates in unique(run.rates_of for run in crossed):
            equal = {
                start: [run for run in crossed if (run.start, run.rates_of) == (start, rates)]
                for start in own
            } | {rates: own[rates]}
            at = f"at the rates of {names.start(task, rates)}"
            found = {start: runs for start, runs in equal.items() if runs}
            yield _Place(study, task, ", ".join([*parts, at]), found)


def _matches(run: Run, wanted: Mapping[str, object]) -> bool:
    return all(run.coordinates.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True)
class _Place:
    """The runs that one column of the figure compares, by start."""

    study: Study
    task: str
    title: str
    runs: Mapping[str, Sequence[Run]]

    @property
    def measured(self) -> bool:
        return any(len(run.series(TOP)[0]) > 1 for runs in self.runs.values() for run in runs)

    def _lines(self, column: str) -> tuple[Line, ...]:
        starts = {Shown(self.study, self.task, one): runs for one, runs in self.runs.items()}
        return lines(starts.items(), column)

    def eigenvalues(self) -> Panel:
        return Panel(self.title, self._lines(TOP), tuple(self._edges()))

    def losses(self) -> Panel:
        classes = captions.classes(self.study, self.task)
        levels = (_guessing(classes),) if classes else ()
        return Panel(self.title, self._lines("eval_loss"), levels)

    def _edges(self) -> list[Level]:
        """2 over the rate of each start's clients; one where all have the same."""
        found = {}
        for start in self.runs:
            rate = captions.client_rate(self.runs[start])
            if rate:
                found[start] = 2 / rate
        if len(set(found.values())) == 1:
            return [_edge(next(iter(found.values())))]
        return [
            _edge(edge, Shown(self.study, self.task, start).colour) for start, edge in found.items()
        ]

    def readings(self) -> list[Reading]:
        known = self.study.random_starts(self.task)
        random = [start for start in self.runs if start in known]
        moments = {
            "before training": _first,
            "once each loss is below guessing": self._below_guessing,
            "at the sharpest round": _sharpest,
            "after the last round": _last,
        }
        pairs = [(one, other) for one in random for other in self.runs if other not in known]
        found = [
            self._reading(one, other, moment, of)
            for one, other in pairs
            for moment, of in moments.items()
        ]
        return [reading for reading in found if reading is not None]

    def _reading(
        self, random: str, start: str, moment: str, of: Callable[[Run], float]
    ) -> Reading | None:
        names = Names(self.study)
        sides = [_by_seed(self.runs[one], of) for one in (random, start)]
        logs = [
            math.log(sides[0][seed] / sides[1][seed])
            for seed in sides[0]
            if seed in sides[1] and sides[0][seed] > 0 and sides[1][seed] > 0
        ]
        if not logs:
            return None
        several = len(self.study.random_starts(self.task)) > 1
        against = f"against {names.start(self.task, random)}" if several else ""
        place = ", ".join(filter(None, [self.title, against]))
        return Reading(place, names.start(self.task, start), moment, estimate(logs))

    def _below_guessing(self, run: Run) -> float:
        classes = captions.classes(self.study, self.task)
        losses = dict(zip(*run.series("eval_loss"), strict=True))
        for number, top in zip(*run.series(TOP), strict=True):
            if classes and losses.get(number, math.inf) < math.log(classes):
                return top
        return math.nan


def _edge(value: float, colour: int | None = None) -> Level:
    return Level(f"2/rate = {significant(value)}", value, colour, beside=True)


def _guessing(classes: int) -> Level:
    return Level(f"ln {classes}", math.log(classes), beside=True)


def _first(run: Run) -> float:
    return run.first(TOP)


def _last(run: Run) -> float:
    return run.last(TOP)


def _sharpest(run: Run) -> float:
    return max(run.series(TOP)[1], default=math.nan)


def _by_seed(runs: Sequence[Run], value: Callable[[Run], float]) -> dict[int, float]:
    found = {int(run.coordinates["seed"]): value(run) for run in runs}
    return {seed: one for seed, one in found.items() if math.isfinite(one)}


def _heading(readings: Sequence[Reading]) -> str:
    """What is flatter and what is sharper, reading by reading; what more readings say is first."""
    said = [one.verdict for one in readings]
    parts = [
        f"{verdict} {listed(found)}"
        for verdict in sorted((FLATTER, SHARPER), key=said.count, reverse=True)
        if (found := _moments(readings, verdict, _SHORT))
    ]
    if not parts:
        return "No reading shows which start has the flatter loss"
    return f"Pre-trained weights are {'; they are '.join(parts)}"


def _moments(readings: Sequence[Reading], verdict: str, longest: int = 1000) -> list[str]:
    """The moments with this verdict, and where (how often, if that is long), or everywhere."""
    told = []
    for moment in unique(one.moment for one in readings):
        mine = [one for one in readings if one.moment == moment]
        places = [one.place for one in mine if one.verdict == verdict]
        if places:
            where = listed(places)
            where = where if len(where) <= longest else f"{len(places)} of {len(mine)} comparisons"
            told.append(moment if len(places) == len(mine) else f"{moment} ({where})")
    return told


def _verdict(readings: Sequence[Reading]) -> str:
    """Which reading of the paper's table these runs reproduce, in words."""
    found = _moments(readings, FLATTER)
    if not found:
        return "No reading reproduces the direction of the paper's table here."
    return f"The direction of the paper's table is reproduced {listed(found)}."


def _table(readings: Sequence[Reading]) -> Table:
    rows: list[list[Cell]] = [
        [one.place, one.start, one.moment, one.ratio, math.exp(one.ratio.mean), one.verdict]
        for one in readings
    ]
    header = ["where", "start", "reading", "log ratio", "ratio", "pre-trained start"]
    caption = "Top eigenvalue, random over pre-trained, under each reading of the paper's Table 1"
    return Table("curvature_readings", caption, header, rows)
