"""How a verdict looks: its mark, its colour, its words."""

from dataclasses import dataclass

from markupsafe import Markup

from fed_pretrain.reporting.charts.palette import place
from fed_pretrain.reporting.claims.row import Row, Verdict


@dataclass(frozen=True)
class Look:
    """`kind` is the class of the page's style sheet."""

    kind: str
    mark: str


LOOKS = {
    Verdict.HOLDS: Look("holds", "✓"),
    Verdict.FAILS: Look("fails", "✕"),
    Verdict.EQUIVALENT: Look("same", "≈"),
    Verdict.SEEN: Look("holds", "✓"),
    Verdict.NOT_SEEN: Look("same", "–"),
    Verdict.UNDECIDED: Look("open", "?"),
}


def look(row: Row) -> Look:
    return LOOKS[row.verdict]


def tag(row: Row) -> Markup:
    """Mark and words, as beside an effect."""
    return Markup('<span class="tag {}"><i aria-hidden="true">{}</i>{}</span>').format(
        look(row).kind, look(row).mark, row.verdict
    )


def mark(row: Row, start: str, colour: int) -> Markup:
    """The mark alone beside the start's colour, where a panel has several."""
    return Markup(
        '<span class="tag {}" title="{}: {}"><span class="key s{}"></span>'
        '<i aria-hidden="true">{}</i><span class="vh">{}: {}</span></span>'
    ).format(look(row).kind, start, row.verdict, place(colour), look(row).mark, start, row.verdict)


def narrow(row: Row) -> bool:
    """Whether the near end of a decided interval is under a tenth of the effect from zero."""
    if not row.decided or row.interval is None or row.verdict is Verdict.EQUIVALENT:
        return False
    return min(map(abs, row.interval)) < abs(row.estimate) / 10


def of(rows: list[Row], key: str, task: str, start: str | None = None) -> Row | None:
    """The row of a claim on a task, and from a start where one is given."""
    for row in rows:
        if (row.claim.key, row.task) == (key, task) and start in (None, row.start):
            return row
    return None
