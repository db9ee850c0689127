"""Whether two runs end in one loss basin: the loss on the line between their final models."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Line, Panel, PanelRow
from fed_pretrain.reporting.claims.landscape_claims import barriers, lines_between
from fed_pretrain.reporting.estimates import estimate
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import shown
from fed_pretrain.reporting.table import LOWEST, Cell, Table

_ENDS = ((0.0, "IID model"), (1.0, "non-IID model"))


def basin_section(study: Study) -> Section | None:
    measured = [t for t in study.tasks if any(lines_between(study, t, s) for s in study.starts(t))]
    if not measured:
        return None
    rows = tuple(
        PanelRow(title, tuple(_panel(study, task, column) for task in measured), text)
        for column, title, text in (
            ("loss", "Held-out loss", "nats, on the straight line between the two final models"),
            ("accuracy", "Held-out accuracy", "on the same line"),
        )
    )
    names = Names(study)
    columns = tuple(names.task(task) for task in measured)
    caption = "Mean over seeds; band: the lowest to the highest seed."
    text = [
        "From the final weights of the IID run to those of the non-IID run of one seed and start."
        " The barrier is the largest rise of the loss above the straight line from one loss to the"
        " other: 0 where both are in one basin.",
        *captions.notes(study, measured),
    ]
    return Section(
        "basin",
        findings.heading(
            study,
            ["same_basin"],
            "Whether both end in one loss basin is undecided",
            "The loss between both ends",
        ),
        text,
        [Curves("basin", caption, rows, columns, x_name="")],
        [_table(study, measured)],
        topic="One loss basin?",
    )


def _panel(study: Study, task: str, column: str) -> Panel:
    drawn = []
    for one in shown(study, task):
        found = [
            line
            for several in lines_between(study, task, one.start).values()
            for line in several
            if column in line
        ]
        if found:
            shares = tuple(map(float, found[0]["shares"]))
            values = tuple(tuple(map(float, line[column])) for line in found)
            drawn.append(Line(one.name, one.colour, shares, values))
    return Panel(Names(study).task(task), tuple(drawn), ticks=_ENDS)


def _table(study: Study, tasks: list[str]) -> Table:
    names = Names(study)
    rows: list[list[Cell]] = [
        [names.task(task), one.name, estimate(found.values())]
        for task in tasks
        for one in shown(study, task)
        if (found := barriers(study, task, one.start))
    ]
    caption = "Barrier between the IID and the non-IID model, with its 95 % interval over seeds"
    return Table(
        "barriers", caption, ["task", "start", "barrier (nats)"], rows, {"barrier (nats)": LOWEST}
    )
