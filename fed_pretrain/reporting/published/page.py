"""The Markdown page of one study: answer, ledger, three figures, tables, how it was made."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fed_pretrain.reporting import answer
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.hero import hero
from fed_pretrain.reporting.made import Made
from fed_pretrain.reporting.numbers import probability, signed, span
from fed_pretrain.reporting.part import Block, Section
from fed_pretrain.reporting.published.record import Check, Record
from fed_pretrain.reporting.results import Study, unique
from fed_pretrain.reporting.sections.next_steps import without_folders
from fed_pretrain.reporting.study_report import build_sections
from fed_pretrain.reporting.verdicts import LOOKS
from groundwork import files
from groundwork.markdown import plain, table
from groundwork.progress import duration

MOST_FIGURES = 3
MOST_BYTES = 200_000
# A table of single rounds or runs is for a computer: it is in the report's files.
_MOST_ROWS = 40
_HEADER = ("check", "where", "verdict", "effect", "95 % interval", "unit", "seeds", "p, adjusted")
_WRITTEN = re.compile(r"<!-- written -->\n(.*?)<!-- end -->\n", re.DOTALL)


def write(folder: Path, study: Study, record: Record) -> None:
    """`NAME.md` and its figures; what a person has written between its marks is kept."""
    path = folder / f"{record.name}.md"
    for old in (folder / "figures").glob(f"{record.name}-*.svg"):
        old.unlink()
    figures = _Figures(folder, record.name)
    first = hero(study, ledger.rows(study))
    parts = [
        *_head(record),
        *(figures.of([first]) if first is not None else ()),
        *_ledger(study, record),
        *(
            line
            for section in build_sections(study)
            if section.key != "claims"
            for line in _section(section, figures)
        ),
        *kept(path),
        *_made(study, record),
    ]
    files.write_text(path, "\n".join(parts) + "\n")


def kept(path: Path) -> list[str]:
    """What a person has written on the page, with its marks."""
    written = _WRITTEN.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return ["<!-- written -->", *([written[1].rstrip("\n")] if written else []), "<!-- end -->"]


@dataclass
class _Figures:
    """Writes those that a page shows, the first ones that are small enough."""

    folder: Path
    study: str
    left: int = MOST_FIGURES

    def of(self, blocks: Iterable[Block]) -> list[str]:
        lines = []
        for block in blocks:
            for place, content in block.figures() if self.left else ():
                if self.left and place.endswith(".svg") and len(content) <= MOST_BYTES:
                    self.left -= 1
                    name = f"{self.study}-{Path(place).stem}"
                    files.write_bytes(self.folder / "figures" / f"{name}.svg", content)
                    told = plain(Path(place).stem.replace("_", " "))
                    lines += [f"![{told}](figures/{name}.svg)", ""]
        return lines


def _head(record: Record) -> Iterator[str]:
    yield from (f"# {plain(record.title)}", "", plain(record.question.strip()), "")
    yield from (f"**{plain(record.answer)}**", "", plain("; ".join(record.meta)) + ".", "")


def _ledger(study: Study, record: Record) -> Iterator[str]:
    if not record.checks:
        return
    yield from (f"## {answer.counts(ledger.rows(study))}", "")
    yield table(_HEADER, [_cells(check) for check in record.checks])
    for claim, sentence, paper in unique((c.short, c.sentence, c.paper) for c in record.checks):
        yield f"- *{claim}*: {plain(sentence)} ({paper})"
    yield from remarks(record)
    yield from ("", plain(ledger.scope(study)), "")


def remarks(record: Record) -> Iterator[str]:
    """Each once, with the checks that it is of."""
    for remark in unique(remark for check in record.checks for remark in check.remarks):
        mine = [check for check in record.checks if remark in check.remarks]
        where = [
            f"{claim} ({', '.join(_place(record, one) for one in mine if one.short == claim)})"
            for claim in unique(check.short for check in mine)
        ]
        yield plain(f"- {'; '.join(where)}: {remark}.")


def _place(record: Record, check: Check) -> str:
    """As much of task and start as tells the checks of a study apart."""
    tasks, starts = ({getattr(one, name) for one in record.checks} for name in ("task", "start"))
    if len(tasks) == 1:
        return check.start
    return check.task if len(starts) == 1 else f"{check.task} from {check.start}"


def _cells(check: Check) -> tuple[str, ...]:
    return (
        check.short, f"{check.task}, from {check.start}", verdict(check), effect(check),
        interval(check), check.unit, str(check.seeds),
        "" if check.adjusted_p is None else probability(check.adjusted_p),
    )  # fmt: skip


def verdict(check: Check) -> str:
    return f"{LOOKS[check.judged].mark} {check.verdict}"


def effect(check: Check) -> str:
    return "" if check.estimate is None else signed(check.estimate)


def interval(check: Check) -> str:
    if check.low is None or check.high is None:
        return "none"
    return span(check.low, check.high)


def _section(section: Section, figures: _Figures) -> Iterator[str]:
    """Nothing where what it shows is on the report's page alone."""
    drawn = figures.of(section.figures)
    tables = [one for one in (*section.tables, *section.printed) if len(one.rows) <= _MOST_ROWS]
    if not drawn and not tables:
        return
    yield from (f"## {plain(section.title)}", "")
    for text in section.text:
        yield from (plain(text), "")
    yield from drawn
    for one in tables:
        yield from (plain(f"{one.caption}."), "", one.markdown())
    for note in section.notes:
        yield from (plain(note), "")


def _made(study: Study, record: Record) -> Iterator[str]:
    if study.plan["reductions"]:
        yield from ("", "## What the plan reduced", "")
        yield from (f"- {plain(text)}" for text in study.plan["reductions"])
    facts = [(name, text) for name, text in Made(study, Path()).facts() if name != "command"]
    yield from ("", "## How it was made", "")
    if study.command:
        yield from ("```sh flags", without_folders(study.command), "```", "")
    rows = [("wall time", duration(record.seconds)), *facts]
    yield table(("", ""), rows).rstrip("\n")
