"""The page over all published studies: the papers' claims by our tasks, and what each has found."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Verdict
from fed_pretrain.reporting.numbers import counted
from fed_pretrain.reporting.published import record
from fed_pretrain.reporting.published.page import effect, interval, kept, verdict
from fed_pretrain.reporting.published.record import Check, Record
from fed_pretrain.reporting.results import unique
from fed_pretrain.reporting.verdicts import LOOKS
from groundwork import files
from groundwork.markdown import plain, table
from groundwork.progress import duration

Judged = tuple[Record, Check]
_AGAINST = (Verdict.FAILS, Verdict.EQUIVALENT, Verdict.NOT_SEEN)
_INTRODUCTION = """\
What these studies have found; a page names the command that made it. A verdict speaks of its
study's data, models and budget alone, and a page lists what its plan reduced. It needs an adjusted
p of at most 0.05; the interval is the row's own.
"""


def write(folder: Path) -> Path:
    records = record.read_all(folder)
    judged = [(one, check) for one in records for check in one.checks]
    parts = ["# Results", "", _INTRODUCTION]
    parts += [*_totals(records, judged), *kept(folder / "index.md"), "", *_glance(judged)]
    parts += [*_against(judged), *_studies(records), *_claims(judged)]
    files.write_text(folder / "index.md", "\n".join(parts).rstrip("\n") + "\n")
    return folder / "index.md"


def _totals(records: Sequence[Record], judged: Sequence[Judged]) -> Iterator[str]:
    found = {one: sum(check.judged is one for _, check in judged) for one in Verdict}
    told = ", ".join(f"{LOOKS[one].mark} {one} {number}" for one, number in found.items() if number)
    seconds = sum(one.seconds for one in records)
    yield f"{counted(len(records), 'study', 'studies')}, {duration(seconds)} of wall time in all,"
    yield f"{counted(len(judged), 'check')}: {told}."
    yield ""


def _glance(judged: Sequence[Judged]) -> Iterator[str]:
    """Marks by claim and task, each a link to the page of its study."""
    tasks = unique(check.task for _, check in judged)
    yield from ("## Claims by tasks", "")
    rows = []
    for key in _claims_of(judged):
        mine = [one for one in judged if one[1].claim == key]
        cells = [" ".join(_mark(*one) for one in mine if one[1].task == task) for task in tasks]
        rows.append((mine[0][1].short, *cells))
    yield table(("a pre-trained start: ", *map(plain, tasks)), rows)


def _claims_of(judged: Sequence[Judged]) -> list[str]:
    there = {check.claim for _, check in judged}
    return [claim.key for claim in ledger.CLAIMS if claim.key in there]


def _mark(one: Record, check: Check) -> str:
    told = f"{one.name}, from {check.start}: {check.verdict}, {effect(check)}".replace('"', "'")
    return f'[{LOOKS[check.judged].mark}]({one.name}.md "{told}")'


def _against(judged: Sequence[Judged]) -> Iterator[str]:
    rows = [
        (plain(check.sentence), *_row(one, check))
        for one, check in judged
        if check.judged in _AGAINST
    ]
    yield from ("## What does not hold, or makes no difference here", "")
    yield table(("the claim", *_HEADER), rows) if rows else "Nothing so far.\n"


_HEADER = ("study", "where", "verdict", "effect", "95 % interval", "unit", "seeds")


def _row(one: Record, check: Check) -> tuple[str, ...]:
    return (
        f"[{plain(one.name)}]({one.name}.md)", plain(f"{check.task}, from {check.start}"),
        verdict(check), effect(check), interval(check), check.unit, str(check.seeds),
    )  # fmt: skip


def _studies(records: Sequence[Record]) -> Iterator[str]:
    yield from ("## Studies", "")
    rows = [
        (f"[{plain(one.title)}]({one.name}.md)", plain(one.answer), duration(one.seconds))
        for one in records
    ]
    yield table(("question", "answer", "wall time"), rows)


def _claims(judged: Sequence[Judged]) -> Iterator[str]:
    yield from ("## Claim by claim", "")
    for key in _claims_of(judged):
        mine = [one for one in judged if one[1].claim == key]
        yield from (f"### {mine[0][1].short}", "")
        yield from (f"{plain(mine[0][1].sentence)} ({mine[0][1].paper})", "")
        yield table(_HEADER, [_row(*one) for one in mine])
