"""Misaligned filters by round, and how many a start has."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.charts.curves import Curves, Panel, PanelRow
from fed_pretrain.reporting.claims.block import first
from fed_pretrain.reporting.naming import Names, cells
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.sections.alignment import SMALL
from fed_pretrain.reporting.shown import lines, shown, table
from fed_pretrain.reporting.table import LOWEST, Table, file_name

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
        [_chart(study, task) for task in measured],
        [_table(study, task) for task in measured],
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
