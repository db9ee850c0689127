"""Why a start helps, by round: loss, agreement, distance ("Where to Begin?", Fig. 6)."""

from dataclasses import dataclass

from markupsafe import Markup

from fed_pretrain.reporting import captions, verdicts
from fed_pretrain.reporting.charts.curves import Curves, Frame, Panel, PanelRow
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import Shown, lines, shown

SMALL = Frame(300, 150, 40, 8, 6, 30, singles=False, labelled=False)


@dataclass(frozen=True)
class _Quantity:
    """`claim` is the key of the check whose verdict the panel shows."""

    column: str
    title: str
    text: str
    want: str = ""
    claim: str = ""
    from_zero: bool = False


_QUANTITIES = (
    _Quantity(
        "eval_loss", "Held-out loss", "nats; round 0 is the loss of the start itself",
        "claim: pre-trained need not be lower", "start_loss",
    ),
    _Quantity(
        "mean_pairwise_cosine", "Cosine between client updates",
        "mean over the pairs of clients of a round", "claim: pre-trained higher", "cosine",
    ),
    _Quantity(
        "gradient_diversity", "Gradient diversity",
        "squared norms of the updates over that of their sum: 1/n all equal, 1 orthogonal, more"
        " where they oppose", "claim: pre-trained lower", "diversity", True,
    ),
    _Quantity(
        "distance_to_final", "Distance to the last weights",
        "0 at the end by construction; scales with the rate of training",
        "claim: pre-trained nearer at round 0", "distance", True,
    ),
)  # fmt: skip


def alignment_section(study: Study) -> Section | None:
    """None where no run has measured the agreement of its clients."""
    tasks = [t for t in study.tasks if any(_measured(study, t, q) for q in _QUANTITIES[1:])]
    if not tasks:
        return None
    names, rows = Names(study), ledger.rows(study)
    grid = tuple(
        PanelRow(
            one.title,
            tuple(_panel(study, rows, task, one) for task in tasks),
            one.text,
            one.want,
            from_zero=one.from_zero,
            own_scales=True,
        )
        for one in _QUANTITIES
        if any(_measured(study, task, one) for task in tasks)
    )
    caption = "Mean over runs; band: the lowest to the highest run."
    chart = Curves(
        "alignment", caption, grid, tuple(names.task(task) for task in tasks), frame=SMALL
    )
    keys = [one.claim for one in _QUANTITIES[1:]]
    return Section(
        "alignment",
        findings.heading(
            study,
            keys,
            "No check of alignment or distance is decided",
            "Loss, alignment and distance",
        ),
        captions.notes(study, tasks),
        [chart],
        topic="Why: loss, alignment and distance by round",
    )


def _measured(study: Study, task: str, quantity: _Quantity) -> bool:
    return any(run.series(quantity.column)[0] for run in captions.subjects(study, task))


def _panel(study: Study, rows: list[Row], task: str, quantity: _Quantity) -> Panel | None:
    drawn = lines(((one, one.subjects()) for one in shown(study, task)), quantity.column)
    if not drawn:
        return None
    return Panel(Names(study).task(task), drawn, tag=tags(study, rows, task, quantity.claim))


def tags(study: Study, rows: list[Row], task: str, claim: str) -> Markup:
    """The verdict of the panel's check, from each start that it has."""
    found = [verdicts.of(rows, claim, task, start) for start in study.pretrained_starts(task)]
    there = [row for row in found if row is not None]
    if len(there) == 1:
        return verdicts.tag(there[0])
    return Markup(" ").join(
        verdicts.mark(row, one.name, one.colour)
        for row in there
        for one in [Shown(study, task, row.start)]
    )
