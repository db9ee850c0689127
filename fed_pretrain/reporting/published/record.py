"""What a published page keeps of a study for the summary and for later comparison, as JSON."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fed_pretrain.reporting.answer import answer
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.made import Made
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.study_report import build_sections
from groundwork import files, from_json
from groundwork.errors import UserError
from groundwork.untyped import Json


@dataclass(frozen=True)
class Check:
    """A row of the ledger in the reader's words; `low` and `high` are its 95 % interval."""

    claim: str
    short: str
    sentence: str
    paper: str
    unit: str
    task: str
    start: str
    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    adjusted_p: float | None
    seeds: int
    remarks: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str, str]:
        return self.claim, self.task, self.start

    @property
    def judged(self) -> Verdict:
        return Verdict(self.verdict)


@dataclass(frozen=True)
class Record:
    """`seconds` is the wall time of all passes; `meta` says when and on what it was made."""

    name: str
    title: str
    question: str
    answer: str
    meta: tuple[str, ...]
    seconds: float
    checks: tuple[Check, ...]


def of_study(study: Study) -> Record:
    rows, plan = ledger.rows(study), study.plan
    return Record(
        str(plan["name"]),
        str(plan["title"]),
        str(plan["question"]),
        answer(study, rows, build_sections(study)),
        tuple(Made(study, Path()).meta()),
        sum(map(_seconds, study.passes)),
        tuple(_check(study, row) for row in rows),
    )


def _check(study: Study, row: Row) -> Check:
    """An order has no value by seed: then the seeds are those of the task."""
    names = Names(study)
    seeds = len(row.values) or len(study.values("seed", task=row.task))
    low, high = row.interval or (math.nan, math.nan)
    remarks = [*([row.why] if row.why else []), *row.notes]
    return Check(
        row.claim.key, row.claim.short, row.claim.sentence, row.claim.paper, row.claim.unit,
        names.task(row.task), names.start(row.task, row.start), str(row.verdict),
        _known(row.estimate), _known(low), _known(high), row.adjusted_p, seeds, tuple(remarks),
    )  # fmt: skip


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _seconds(one: Json) -> float:
    begin, end = (datetime.fromisoformat(one[name]) for name in ("begin", "end"))
    return (end - begin).total_seconds()


def path_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def write(folder: Path, record: Record) -> None:
    text = json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False)
    files.write_text(path_of(folder, record.name), text + "\n")


def read(path: Path) -> Record:
    try:
        content = from_json.record(path)
        checks = tuple(
            Check(**{**one, "remarks": tuple(one["remarks"])}) for one in content["checks"]
        )
        return Record(**{**content, "meta": tuple(content["meta"]), "checks": checks})
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such record; `report --publish` writes it") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not the record of a published study ({error})") from error


def read_all(folder: Path) -> Sequence[Record]:
    return [read(path) for path in sorted(folder.glob("*.json"))]


def differences(published: Record, now: Record) -> list[str]:
    """Where the verdicts of a study made again are not those that were published."""
    before = {check.place: check.verdict for check in published.checks}
    after = {check.place: check.verdict for check in now.checks}
    return [
        f"{', '.join(place)}: published as {before.get(place, 'absent')},"
        f" now {after.get(place, 'absent')}"
        for place in dict.fromkeys([*before, *after])
        if before.get(place) != after.get(place)
    ]
