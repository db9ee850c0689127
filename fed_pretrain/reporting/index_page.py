"""One page over several studies: what each asked, what it answered, how its checks came out."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markupsafe import Markup

from fed_pretrain.reporting import verdicts
from fed_pretrain.reporting.answer import answer
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.claim import Claim
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.made import Made
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted
from fed_pretrain.reporting.results import Study, load_study, read_json, unique
from fed_pretrain.reporting.sections.claims import anchor, estimate_of
from fed_pretrain.reporting.study_report import build_sections, render
from fed_pretrain.reporting.table import Table
from groundwork import files
from groundwork.errors import UserError

# Far enough for runs/NAME and runs/GROUP/NAME; a study's own steps are deeper.
_DEPTHS = ("study.json", "*/study.json", "*/*/study.json")


@dataclass(frozen=True)
class IndexedStudy:
    """A study that has something finished, seen from the folder of the index."""

    folder: Path
    study: Study
    index: Path

    @cached_property
    def rows(self) -> list[Row]:
        return ledger.rows(self.study)

    @property
    def name(self) -> str:
        return str(self.study.plan["name"])

    @property
    def title(self) -> str:
        return str(self.study.plan["title"])

    @property
    def question(self) -> str:
        return str(self.study.plan["question"])

    @property
    def answer(self) -> str:
        return answer(self.study, self.rows, build_sections(self.study))

    @property
    def meta(self) -> list[str]:
        return Made(self.study, self.index).meta()

    @cached_property
    def link(self) -> str:
        """Of its page; empty where it has none."""
        for step in self.study.steps:
            if step["kind"] == "report" and step["output"]:
                page = self.folder / step["output"] / "index.html"
                if page.exists():
                    return os.path.relpath(page, self.index)
        return ""

    def counts(self) -> Markup:
        """A mark, its number and its word for each verdict that there is."""
        found = [
            Markup('<span class="tag {}"><i aria-hidden="true">{}</i>{} {}</span>').format(
                verdicts.LOOKS[verdict].kind, verdicts.LOOKS[verdict].mark, verdict, number
            )
            for verdict in Verdict
            if (number := sum(row.verdict is verdict for row in self.rows))
        ]
        return Markup("<br>").join(found) if found else Markup("no checks")

    def marks(self, claim: Claim) -> Markup:
        """The verdicts of a claim, one a task and start, each a link to its check."""
        found = [row for row in self.rows if row.claim.key == claim.key]
        return Markup(" ").join(self._mark(row) for row in found)

    def _mark(self, row: Row) -> Markup:
        look = verdicts.look(row)
        place = Names(self.study).place(row.task, row.start)
        told = f"{place}: {row.verdict}"
        return Markup('<a class="tag {}" href="{}#{}" title="{}" aria-label="{}">{}</a>').format(
            look.kind, self.link, anchor(row), told, told, look.mark
        )


def make_index(folder: str, output: str | None = None) -> Path:
    """Writes `index.html`, and `checks.csv` with every check of every study, into the output."""
    where = Path(output or folder)
    entries = list(_entries(Path(folder), where))
    if not entries:
        raise UserError(f"--index={folder}: no study.json with a finished run is in it")
    page = render(
        "studies.html.j2",
        entries=entries,
        claims=unique(row.claim for entry in entries for row in entry.rows),
        counted=counted,
        looks=verdicts.LOOKS,
    )
    try:
        where.mkdir(parents=True, exist_ok=True)
        files.write_text(where / "checks.csv", _checks(entries).csv())
        files.write_text(where / "index.html", page)
    except OSError as error:
        raise UserError(f"--output={where}: cannot be written ({error.strerror})") from error
    return where / "index.html"


def study_files(folder: Path) -> list[Path]:
    return sorted(path for pattern in _DEPTHS for path in folder.glob(pattern))


def _entries(folder: Path, index: Path) -> Iterator[IndexedStudy]:
    """By name; a study of which nothing is finished is left out."""
    for path in study_files(folder):
        if {"plan", "steps"} <= set(read_json(path) or ()):
            study = load_study(path)
            if study.runs or study.analyses:
                yield IndexedStudy(path.parent, study, index)


def _checks(entries: Sequence[IndexedStudy]) -> Table:
    body = [
        [
            entry.name, row.claim.key, Names(entry.study).task(row.task),
            Names(entry.study).start(row.task, row.start), estimate_of(row), row.adjusted_p,
            str(row.verdict),
        ]
        for entry in entries
        for row in entry.rows
    ]  # fmt: skip
    header = ["study", "check", "task", "start", "estimate", "adjusted p", "verdict"]
    return Table("checks", "Every check of every study", header, body)
