"""Misaligned filters by round, and how many a start has in which layer."""

import math
from collections.abc import Callable, Mapping, Sequence

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Panel, PanelRow, line_of
from fed_pretrain.reporting.claims.block import first
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Run, Study, unique
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.sections.alignment import SMALL
from fed_pretrain.reporting.shown import lines, shown, table
from fed_pretrain.reporting.table import LOWEST, Cell, Table, file_name

SHARE = "misaligned_share"


def misalignment_section(study: Study) -> Section | None:
    measured = [t for t in study.tasks if any(r.series(SHARE)[0] for r in study.select(task=t))]
    if not measured:
        return None
    text = [
        "A surrogate of ours, not the paper's own measure (its formula is not public to us): a"
        " filter is misaligned for a class in a round when the sign of its mean pre-activation"
        " over that class differs from its sign at the last round; so it is 0 at the end. Only"
        " where the last round is a trained network does it say what training had to turn.",
        *captions.notes(study, measured),
    ]
    return Section(
        "misalignment",
        findings.heading(
            study,
            ["misaligned"],
            "Whether fewer filters are misaligned is undecided",
            "Misaligned filters",
        ),
        text,
        [one for task in measured for one in (_chart(study, task), _chart_by_layer(study, task))],
        [one for task in measured for one in (_table(study, task), _by_layer(study, task))],
        topic="Why: misaligned filters",
    )


def _chart(study: Study, task: str) -> Curves:
    panels = tuple(
        Panel(label, lines(((one, one.runs(**wanted)) for one in shown(study, task)), SHARE))
        for label, wanted in cells(study, task)
    )
    caption = (
        f"{Names(study).task(task)}: share of misaligned (filter, class) pairs;"
        f" {captions.setting(study, task)}; band: lowest to highest run."
    )
    row = PanelRow("misaligned share", panels, from_zero=True)
    return Curves(file_name(f"misalignment_{task}"), caption, (row,), frame=SMALL)


def _table(study: Study, task: str) -> Table:
    told = "misaligned share at round 0, with its 95 % interval over seeds"
    return table(study, task, "misaligned_at_start", told, LOWEST, first(SHARE))


def _chart_by_layer(study: Study, task: str) -> Curves:
    panels = []
    for label, wanted in cells(study, task):
        starts = ((one, one.runs(**wanted)) for one in shown(study, task))
        drawn = (line_of(runs, _by_depth, one.name, one.colour) for one, runs in starts)
        panels.append(Panel(label, tuple(line for line in drawn if line is not None)))
    caption = (
        f"{Names(study).task(task)}: share of misaligned (filter, class) pairs at round 0, by layer"
        " from the input to the head; band: lowest to highest run."
    )
    row = PanelRow("misaligned share", tuple(panels), from_zero=True)
    name = file_name(f"misalignment_by_layer_{task}")
    return Curves(name, caption, (row,), x_name="layer", frame=SMALL)


def _by_layer(study: Study, task: str) -> Table:
    """A row a layer, from the input to the head; a column a start and cell."""
    places = cells(study, task)
    columns = {
        f"{one.name}, {label}" if len(places) > 1 else one.name: one.runs(**wanted)
        for one in shown(study, task)
        for label, wanted in places
    }
    layers = unique(layer for runs in columns.values() for run in runs for layer in _layers(run))
    rows: list[list[Cell]] = [
        [layer, *(over_seeds(runs, _at_start_of(layer)) for runs in columns.values())]
        for layer in layers
    ]
    return Table(
        file_name(f"misaligned_by_layer_{task}"),
        f"{Names(study).task(task)}: misaligned share at round 0 by layer, from the input to the"
        " head, with its 95 % interval over seeds",
        ["layer", *columns],
        rows,
    )


def _layers(run: Run) -> Mapping[str, Sequence[float]]:
    """Of each layer its shares, a number a probed round."""
    content = run.probe("misalignment") or {}
    definitions = content.get("definitions", {})
    found: Mapping[str, Sequence[float]] = definitions.get("live", {}).get("layers", {})
    return found


def _by_depth(run: Run) -> tuple[list[int], list[float]]:
    """The number of each layer, and its share at round 0."""
    at_start = [shares[0] for shares in _layers(run).values() if shares]
    return list(range(1, len(at_start) + 1)), at_start


def _at_start_of(layer: str) -> Callable[[Run], float]:
    return lambda run: next(iter(_layers(run).get(layer, ())), math.nan)
