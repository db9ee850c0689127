"""The starts of a task as the page shows them: in what order, under which name, in which ink."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts import palette
from fed_pretrain.reporting.charts.curves import Line, line_of
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.table import Cell, Table, file_name
from groundwork.untyped import Json


@dataclass(frozen=True)
class Shown:
    """A start of a task, with its runs."""

    study: Study
    task: str
    start: str

    @property
    def name(self) -> str:
        return Names(self.study).start(self.task, self.start)

    @property
    def colour(self) -> int:
        """0 is random weights; the pre-trained starts of a task follow in the plan's order."""
        random_start = self.study.random_start(self.task)
        others = [one for one in self.study.starts(self.task) if one != random_start]
        return 1 + others.index(self.start) if self.start in others else 0

    @property
    def ink(self) -> str:
        """The class of the page's style sheet."""
        return f"s{palette.place(self.colour)}"

    @property
    def ring(self) -> str:
        return " ring" if self.study.is_random(self.task, self.start) else ""

    def runs(self, **wanted: Json) -> list[Run]:
        return self.study.select(task=self.task, start=self.start, **wanted)

    def subjects(self, **wanted: Json) -> list[Run]:
        """Without the controls of the task."""
        return captions.subjects(self.study, self.task, start=self.start, **wanted)

    def line(self, runs: Sequence[Run], column: str, group: str = "") -> Line | None:
        """A column by round; None where no run has it."""
        return line_of(runs, lambda run: run.series(column), self.name, self.colour, group)


def shown(study: Study, task: str) -> list[Shown]:
    """The random start first, then the pre-trained ones in the plan's order."""
    first = study.random_start(task)
    starts = sorted(study.starts(task), key=lambda start: start != first)
    return [Shown(study, task, start) for start in starts]


def lines(runs: Iterable[tuple[Shown, Sequence[Run]]], column: str) -> tuple[Line, ...]:
    """A column by round, a line a start that has it."""
    drawn = (one.line(several, column) for one, several in runs)
    return tuple(line for line in drawn if line is not None)


def table(
    study: Study, task: str, name: str, caption: str, best: str, of: Callable[[Run], float]
) -> Table:
    """A row a cell, a column a start, with the interval over seeds."""
    starts = shown(study, task)
    header = ["", *(one.name for one in starts)]
    rows: list[list[Cell]] = [
        [label, *(over_seeds(one.runs(**wanted), of) for one in starts)]
        for label, wanted in cells(study, task)
    ]
    caption = f"{Names(study).task(task)}: {caption}"
    return Table(
        file_name(f"{name}_{task}"), caption, header, rows, dict.fromkeys(header[1:], best)
    )
