"""Misaligned filters by round, and how many a start has in which layer."""

import math
from collections.abc import Callable, Mapping, Sequence

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Panel, PanelRow, Series, line_of
from fed_pretrain.reporting.claims.block import first
from fed_pretrain.reporting.estimates import over_seeds
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Run, Study, unique
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.sections.alignment import SMALL
from fed_pretrain.reporting.shown import shown, table
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
        [one for task in measured for one in _charts(study, task)],
        [one for task in measured for one in (_table(study, task), _by_layer(study, task))],
        topic="Why: misaligned filters",
    )


def _charts(study: Study, task: str) -> list[Curves]:
    pairs = f"{Names(study).task(task)}: share of misaligned (filter, class) pairs"
    band = "band: lowest to highest run."
    by_round = f"{pairs}; {captions.setting(study, task)}; {band}"
    by_layer = f"{pairs} at round 0, by layer from the input to the head; {band}"
    return [
        _chart(study, task, "misalignment", by_round, lambda run: run.series(SHARE), "round"),
        _chart(study, task, "misalignment_by_layer", by_layer, _by_depth, "layer"),
    ]


def _chart(study: Study, task: str, name: str, caption: str, series: Series, x_name: str) -> Curves:
    panels = []
    for label, wanted in cells(study, task):
        starts = ((one, one.runs(**wanted)) for one in shown(study, task))
        drawn = (line_of(runs, series, one.name, one.colour) for one, runs in starts)
        panels.append(Panel(label, tuple(line for line in drawn if line is not None)))
    row = PanelRow("misaligned share", tuple(panels), from_zero=True)
    return Curves(file_name(f"{name}_{task}"), caption, (row,), x_name=x_name, frame=SMALL)


def _table(study: Study, task: str) -> Table:
    told = "misaligned share at round 0, with its 95 % interval over seeds"
    return table(study, task, "misaligned_at_start", told, LOWEST, first(SHARE))


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
