"""The ledger of claims: all verdicts at a glance, every check with its interval, and what next."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fed_pretrain.reporting import answer, verdicts
from fed_pretrain.reporting.charts import paper
from fed_pretrain.reporting.charts.scale import Scale
from fed_pretrain.reporting.charts.strip import strip
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.claim import Claim
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.estimates import Estimate
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, probability, signed, span
from fed_pretrain.reporting.part import Block, Html, Section
from fed_pretrain.reporting.results import Study, unique
from fed_pretrain.reporting.sections import next_steps
from fed_pretrain.reporting.shown import Shown
from fed_pretrain.reporting.table import Cell, Table, file_name


@dataclass(frozen=True)
class _Group:
    """Rows under one heading of the forest; the closed ones open with a click."""

    kind: str
    mark: str
    title: str
    verdicts: tuple[Verdict, ...]
    reason: str = ""
    closed: bool = False

    def takes(self, row: Row) -> bool:
        return row.verdict in self.verdicts and (row.decided or row.group == self.reason)


_OPEN = (Verdict.UNDECIDED,)
_GROUPS = (
    _Group("holds", "✓", "Holds", (Verdict.HOLDS,)),
    _Group("fails", "✕", "Does not hold", (Verdict.FAILS,)),
    _Group("same", "≈", "No difference that matters", (Verdict.EQUIVALENT,)),
    _Group("holds", "✓", "Said to be possible: seen here", (Verdict.SEEN,)),
    _Group("same", "–", "Said to be possible: not seen here", (Verdict.NOT_SEEN,)),
    _Group("open", "?", "Undecided: more seeds would decide", _OPEN, "seeds"),
    _Group("open", "?", "Undecided: a start has not left chance", _OPEN, "chance", True),
    _Group("open", "?", "Undecided: the comparison needs another setting", _OPEN, "guard", True),
    _Group("open", "?", "Undecided: no effect in sight", _OPEN, "no effect", True),
)


def claims_section(study: Study) -> Section | None:
    rows = ledger.rows(study)
    if not rows:
        return None
    text = [_lead(rows)]
    body = Markup(
        '<div class="side"><div class="left">{}{}{}</div><div class="forest">{}</div></div>'
    ).format(
        _matrix(study, rows),
        Markup('<p class="tog" id="tasks" hidden role="group" aria-label="Task shown"></p>'),
        next_steps.html(study, rows),
        _forest(study, rows),
    )
    blocks: list[Block] = [_table(study, rows), _by_seed(study, rows), _PaperForest(study, rows)]
    return Section(
        "claims",
        answer.counts(rows),
        text,
        [Html(body, blocks)],
        topic="What the papers claim",
        notes=_notes(study, rows),
    )


def _lead(rows: Sequence[Row]) -> str:
    text = (
        "Each check is a claim on a task, as one number a seed whose sign decides, from runs that"
        " share clients, rounds and seed. The line is the 95 % interval of its mean; small dots are"
        " the seeds."
    )
    adjusted = [row.adjusted_p for row in rows if row.adjusted_p is not None]
    if not adjusted:
        return text
    smallest = probability(min(adjusted))
    return (
        f"{text} A verdict holds for all {counted(len(rows), 'check')} together: it needs a p of at"
        f" most 0.05 after correction for their number (the smallest is {smallest})."
    )


def anchor(row: Row) -> str:
    return file_name(f"check-{row.claim.key}-{row.task}-{row.start}")


def _places(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return unique((row.task, row.start) for row in rows)


def _matrix(study: Study, rows: Sequence[Row]) -> Markup:
    names, places = Names(study), _places(rows)
    head = Markup("").join(
        Markup('<th scope="col">{}</th>').format(names.place(*one)) for one in places
    )
    body = []
    for claim in unique(row.claim for row in rows):
        cells = Markup("").join(_cell(rows, claim, one) for one in places)
        body.append(
            Markup('<tr><th scope="row" title="{}">{}</th>{}</tr>').format(
                claim.sentence, claim.short, cells
            )
        )
    return Markup(
        '<div class="wide mxw"><table class="mx"><caption>{} at a glance</caption><thead><tr>'
        '<th scope="col">A pre-trained start …</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(counted(len(rows), "check"), head, Markup("").join(body))


def _cell(rows: Sequence[Row], claim: Claim, where: tuple[str, str]) -> Markup:
    row = verdicts.of(list(rows), claim.key, *where)
    if row is None:
        return Markup('<td class="na"><span aria-label="not measured">·</span></td>')
    look = verdicts.look(row)
    return Markup('<td class="{}"><a href="#{}" aria-label="{}: {}"><i>{}</i></a></td>').format(
        look.kind, anchor(row), claim.short, row.verdict, look.mark
    )


def _forest(study: Study, rows: Sequence[Row]) -> Markup:
    head = Markup(
        '<div class="fr hdr"><span class="cl">check</span><span class="tk">where</span>'
        '<span class="st dir"><em>← against the claim</em><em>for it →</em></span>'
        '<span class="ef">effect, 95 % interval</span><span class="un">unit</span>'
        '<span class="de">decided with</span></div>'
    )
    shown = _Rows(study, _footnotes(rows))
    groups = [shown.group(group, [r for r in rows if group.takes(r)]) for group in _GROUPS]
    return head + Markup("").join(groups)


@dataclass(frozen=True)
class _Rows:
    """The rows of the forest, with the marks of the notes that many of them share."""

    study: Study
    footnotes: Mapping[str, str]

    def group(self, group: _Group, rows: Sequence[Row]) -> Markup:
        if not rows:
            return Markup("")
        heading = Markup('<h3 class="gh {}"><i aria-hidden="true">{}</i> {} <b>{}</b></h3>').format(
            group.kind, group.mark, group.title, len(rows)
        )
        lines = Markup('<div class="rows">{}</div>').format(
            Markup("").join(self.line(row) for row in sorted(rows, key=_certainty))
        )
        if not group.closed:
            return heading + lines
        return Markup('<details class="grp"><summary>{}</summary>{}</details>').format(
            heading, lines
        )

    def line(self, row: Row) -> Markup:
        names, look = Names(self.study), verdicts.look(row)
        interval = span(*row.interval) if row.interval is not None else "no interval"
        marks = "".join(self.footnotes[note] for note in row.notes if note in self.footnotes)
        return Markup(
            '<div class="fr" id="{}" data-task="{}"><span class="cl"><span class="mk {}" '
            'aria-label="{}">{}</span><span title="{}">{} {}</span></span>'
            '<span class="tk" data-name="{}">{}</span>'
            '<span class="st">{}</span><span class="ef"><b>{}</b> <span>{}</span></span>'
            '<span class="un">{}</span><span class="de">{}</span>{}</div>'
        ).format(
            anchor(row), row.task, look.kind, row.verdict, look.mark, row.claim.sentence,
            row.claim.short, marks, names.task(row.task), names.place(row.task, row.start),
            strip(_own_scale(row), row.estimate, row.interval, row.values.values(), look.kind,
                  margin=row.claim.margin),
            signed(row.estimate), interval, row.claim.unit, _decided(row),
            _small_print(row, self.footnotes),
        )  # fmt: skip


def _certainty(row: Row) -> float:
    """The surest first: how far the effect is from zero, in half widths."""
    if row.interval is None:
        return 0.0
    half = (row.interval[1] - row.interval[0]) / 2
    return -abs(row.estimate) / half if half else -float("inf")


def _own_scale(row: Row) -> Scale:
    """Zero in the middle; each row fills its own width."""
    ends = [row.estimate, *row.values.values(), *(row.interval or ())]
    far = max(map(abs, ends)) or 1.0
    return Scale(-1.08 * far, 1.08 * far)


def _decided(row: Row) -> str:
    seeds = counted(len(row.values), "seed")
    if row.decided:
        return f"{seeds}{', narrowly' if verdicts.narrow(row) else ''}"
    if row.seeds_needed is not None:
        return f"about {counted(row.seeds_needed, 'seed')}"
    return f"{seeds} so far"


_MARKS = "†‡§¶"
# A note that this many rows share is written once, below.
_OFTEN = 3


def _footnotes(rows: Sequence[Row]) -> dict[str, str]:
    """The mark of each note that many rows have."""
    counts = Counter(note for row in rows for note in row.notes)
    often = [note for note, number in counts.most_common(len(_MARKS)) if number >= _OFTEN]
    return dict(zip(often, _MARKS, strict=False))


def _small_print(row: Row, footnotes: Mapping[str, str]) -> Markup:
    own = [note for note in row.notes if note not in footnotes]
    parts = [*([row.why] if row.why and row.group != "seeds" else []), *own]
    if not parts:
        return Markup("")
    return Markup('<span class="why">{}</span>').format("; ".join(parts))


def _notes(study: Study, rows: Sequence[Row]) -> list[str]:
    footnotes = [f"{mark} {note}." for note, mark in _footnotes(rows).items()]
    notes = [
        *([" ".join(footnotes)] if footnotes else []),
        "Zero is in the middle and each row has its own scale, so read lengths within a row and"
        " numbers across rows; the grey band is what is too small to matter.",
        f"{ledger.scope(study)} A verdict speaks of this data, model and budget.",
    ]
    if any(len(row.values) == 2 for row in rows):
        notes.append("An interval from 2 seeds can be narrow by luck.")
    return notes


def _table(study: Study, rows: Sequence[Row]) -> Table:
    names = Names(study)
    header = [
        "check", "task", "start", "estimate", "adjusted low", "adjusted high", "p", "adjusted p",
        "verdict", "why", "seeds needed", "notes", "unit", "claim", "paper",
    ]  # fmt: skip
    body: list[list[Cell]] = [
        [
            row.claim.short, names.task(row.task), names.start(row.task, row.start),
            estimate_of(row), *(row.adjusted_interval or (None, None)), row.p, row.adjusted_p,
            str(row.verdict), row.why, row.seeds_needed, "; ".join(row.notes), row.claim.unit,
            row.claim.sentence, row.claim.paper,
        ]
        for row in rows
    ]  # fmt: skip
    return Table("claims", "Claims of the papers and what this study measured", header, body)


def estimate_of(row: Row) -> Estimate:
    low, high = row.interval or (float("nan"), float("nan"))
    return Estimate(row.estimate, low, high, len(row.values))


def _by_seed(study: Study, rows: Sequence[Row]) -> Table:
    body: list[list[Cell]] = [
        [row.claim.key, row.task, row.start, seed, value]
        for row in rows
        for seed, value in row.values.items()
    ]
    header = ["claim", "task", "start", "seed", "value"]
    return Table("claims_by_seed", "Every check, seed by seed", header, body)


@dataclass(frozen=True)
class _PaperForest(Block):
    """The forest as a figure for papers: every row in units of its own largest value."""

    study: Study
    rows: Sequence[Row]

    def figures(self) -> Iterator[tuple[str, bytes]]:
        yield from paper.files("claims", self._figure())

    @paper.look()
    def _figure(self) -> paper.Figure:
        names = Names(self.study)
        made, (axes,) = paper.grid(1, 1, 6.0, 0.6 + 0.2 * len(self.rows))
        for height, row in enumerate(self.rows):
            far = _own_scale(row).high
            ink = paper.ink(Shown(self.study, row.task, row.start).colour)
            if row.interval is not None:
                axes.plot([end / far for end in row.interval], [height] * 2, color=ink.light)
            face = ink.light if row.decided else "white"
            axes.plot(row.estimate / far, height, ink.mark, color=ink.light, markerfacecolor=face)
        labels = [
            f"{row.claim.short}, {names.place(row.task, row.start)}: {row.verdict}"
            for row in self.rows
        ]
        axes.axvline(0, color="0.5", linewidth=0.8)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xticks([])
        axes.set_xlabel("against the claim, or for it")
        axes.invert_yaxis()
        return made
