"""What is measured against an axis of the grid: a line a start, and the numbers."""

from collections.abc import Callable
from dataclasses import dataclass

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Line, Panel, PanelRow
from fed_pretrain.reporting.estimates import by_seed, estimate, paired
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.shown import Shown, shown
from fed_pretrain.reporting.table import Cell, Table, file_name


@dataclass(frozen=True)
class Measure:
    """`file` begins the name of its table."""

    file: str
    title: str
    of: Callable[[Run], float]


@dataclass(frozen=True)
class Along:
    """One task and algorithm along an axis, called `place` on the page.

    file: what the names of its files end with. gaps: whether a start may lack some points.
    """

    study: Study
    task: str
    algorithm: str
    axis: str
    points: tuple[str, ...]
    place: str
    file: str
    gaps: bool = False

    def by_seed(self, start: Shown, measure: Measure) -> list[dict[int, float]]:
        """A point each."""
        wanted = {"start": start.start, "algorithm": self.algorithm}
        several = (
            captions.without_iid(self.study, self.task, **wanted, **{self.axis: point})
            for point in self.points
        )
        return [by_seed(runs, measure.of) for runs in several]

    def chart(self, kind: str, measures: tuple[Measure, ...], x_name: str) -> Curves:
        rows = tuple(PanelRow("", (self._panel(one),), own_scales=True) for one in measures)
        caption = f"{self.place}: {captions.setting(self.study, self.task)}"
        return Curves(file_name(f"{kind}_{self.file}"), caption, rows, x_name=x_name)

    def _panel(self, measure: Measure) -> Panel:
        """Over the seeds that all points of a start have."""
        drawn = []
        for start in shown(self.study, self.task):
            found = enumerate(self.by_seed(start, measure))
            there = {float(i): one for i, one in found if one or not self.gaps}
            seeds = sorted(set.intersection(*map(set, there.values()))) if there else []
            if seeds:
                runs = tuple(tuple(one[seed] for one in there.values()) for seed in seeds)
                drawn.append(Line(start.name, start.colour, tuple(there), runs))
        ticks = tuple((float(i), point) for i, point in enumerate(self.points))
        return Panel(f"{self.place}: {measure.title}", tuple(drawn), ticks=ticks)

    def table(self, measure: Measure) -> Table:
        rows: list[list[Cell]] = []
        for start in shown(self.study, self.task):
            found = self.by_seed(start, measure)
            there = [one for one in found if one or not self.gaps]
            ends = paired(there[-1], there[0]) if len(there) > 1 else estimate(())
            rows.append([start.name, *(estimate(one.values()) for one in found), ends])
        ends_of = "last minus first" if self.gaps else f"{self.points[-1]} minus {self.points[0]}"
        caption = f"{self.place}, {measure.title}: {captions.setting(self.study, self.task)}"
        name = file_name(f"{measure.file}_{self.file}")
        return Table(name, caption, ["start", *self.points, ends_of], rows)
