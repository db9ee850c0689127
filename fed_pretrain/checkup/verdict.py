"""One line of the doctor's table."""

import dataclasses
import enum

_WIDTH = 21


class Status(enum.Enum):
    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was looked at, what was found, and what to do when it is not well."""

    subject: str
    status: Status
    finding: str
    cure: str = ""


def ok(subject: str, finding: str) -> Verdict:
    return Verdict(subject, Status.OK, finding)


def note(subject: str, finding: str, cure: str = "") -> Verdict:
    return Verdict(subject, Status.NOTE, finding, cure)


def fail(subject: str, finding: str, cure: str) -> Verdict:
    return Verdict(subject, Status.FAIL, finding, cure)


def line(verdict: Verdict) -> str:
    """The verdict's line of the table, with the cure below where there is one."""
    text = f"{verdict.status.value:4}  {verdict.subject:{_WIDTH}}  {verdict.finding}"
    return f"{text}\n{'':{_WIDTH + 8}}-> {verdict.cure}" if verdict.cure else text
