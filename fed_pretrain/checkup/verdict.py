"""One line of the doctor's table."""

import dataclasses
import enum
import itertools

from fed_pretrain.checkup import federated, machine

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


@dataclasses.dataclass(frozen=True)
class ExaminationConfig:
    """What to examine."""

    workdir: str = "."
    rounds: bool = True
    timeout_seconds: float = 180.0


def run(config: ExaminationConfig) -> int:
    """Prints a verdict a line; returns 0 when nothing failed, else 1."""
    checks = itertools.chain(
        machine.examine(config.workdir),
        federated.examine(config.timeout_seconds) if config.rounds else (),
    )
    verdicts: list[Verdict] = []
    for verdict in checks:
        print(line(verdict), flush=True)
        verdicts.append(verdict)
    failed = sum(verdict.status is Status.FAIL for verdict in verdicts)
    print(f"{failed} of {len(verdicts)} checks failed" if failed else "all is well")
    return 1 if failed else 0
