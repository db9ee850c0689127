"""Misaligned filters over rounds, and how many a start has."""

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.captions import setting
from fed_pretrain.reporting.claims.landscape_claims import misaligned_at_start
from fed_pretrain.reporting.part import NamedFigure, Section, Table
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.sections.accuracy import row_keys
from fed_pretrain.reporting.sections.curves import panels_by_round
from fed_pretrain.reporting.statistics import spread

SHARE = "misaligned_share"


def misalignment_section(study: Study) -> Section | None:
    measured = [t for t in study.tasks if any(r.series(SHARE)[0] for r in study.select(task=t))]
    if not measured:
        return None
    text = [
        "A surrogate of ours, not the paper's own measure (its formula is not public to us): a"
        " filter is misaligned for a class in a round when the sign of its mean pre-activation"
        " over that class differs from its sign at the last round; so it is 0 at the end. Only"
        " where the last round is a trained network does it tell what training had to turn.",
        *captions.notes(study, measured),
    ]
    figures = [_figure(study, task) for task in measured]
    tables = [_table(study, task) for task in measured]
    return Section("misalignment", "Misaligned filters", text, figures, tables)


def _figure(study: Study, task: str) -> NamedFigure:
    made = panels_by_round(study, task, SHARE, "misaligned share of pairs")
    for axes in made.axes:
        axes.set_ylim(bottom=0)
    caption = (
        f"{task}: misaligned (filter, class) pairs; line = mean, band = one sample standard"
        f" deviation over runs ({setting(study, task)})"
    )
    return NamedFigure(f"misalignment_{task}", caption, made)


def _table(study: Study, task: str) -> Table:
    starts = study.starts(task)

    def cell(runs: list[Run]) -> str:
        return str(spread([misaligned_at_start(run) for run in runs]))

    rows = [
        [label, *(cell(study.select(task=task, start=start, **wanted)) for start in starts)]
        for label, wanted in row_keys(study, task)
    ]
    caption = f"{task}: misaligned share at round 0, mean ± sample standard deviation"
    return Table(f"misalignment_{task}", caption, ["", *starts], rows)
