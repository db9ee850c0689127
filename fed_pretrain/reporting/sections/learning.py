"""Learning curves of every partition and point of a sweep, where the first figure averages them."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Line, Panel, PanelRow, line_of
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.hero import colour_of, ordered_starts
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.numbers import fixed, listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import FINAL, Study, unique
from fed_pretrain.reporting.table import file_name


def learning_section(study: Study) -> Section | None:
    """None where nothing but the algorithm varies: the first figure has its curves."""
    charts = [_chart(study, task) for task in study.tasks if _varies(study, task)]
    if not charts:
        return None
    return Section(
        "learning",
        "; ".join(_ends(study, task) for task in study.tasks if _varies(study, task)),
        ["Bold: mean over seeds; thin: single runs."],
        charts,
        topic="Learning curves",
    )


def _ends(study: Study, task: str) -> str:
    """Between which accuracies the cells of each start end."""
    names, parts = Names(study), []
    for start in ordered_starts(study, task):
        ends = [
            over_seeds(study.select(task=task, start=start, **wanted), lambda run: run.last(FINAL))
            for _, wanted in cells(study, task)
        ]
        known = sorted(end.mean for end in ends if end.known)
        if known:
            ends_at = " to ".join(unique([fixed(known[0]), fixed(known[-1])]))
            parts.append(f"{ends_at} from {names.start(task, start)}")
    return f"{names.task(task)} ends at {listed(parts)}"


def _varies(study: Study, task: str) -> bool:
    algorithms = study.values("algorithm", task=task)
    return len(cells(study, task)) > len(algorithms)


def _chart(study: Study, task: str) -> Curves:
    panels = tuple(
        Panel(label, by_start(study, task, FINAL, **wanted)) for label, wanted in cells(study, task)
    )
    caption = f"{Names(study).task(task)}: {captions.setting(study, task)}"
    row = PanelRow("held-out accuracy", panels, from_zero=True)
    return Curves(file_name(f"learning_{task}"), caption, (row,))


def by_start(study: Study, task: str, column: str, **wanted: object) -> tuple[Line, ...]:
    """A line a start of a column by round, over the selected runs."""
    names = Names(study)
    lines = (
        line_of(
            study.select(task=task, start=start, **wanted),
            lambda run: run.series(column),
            names.start(task, start),
            colour_of(study, task, start),
        )
        for start in ordered_starts(study, task)
    )
    return tuple(line for line in lines if line is not None)
