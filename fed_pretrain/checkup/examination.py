"""The whole examination, printed line by line as it goes."""

import dataclasses
import itertools

from fed_pretrain.checkup import federated, machine
from fed_pretrain.checkup.verdict import Status, Verdict, line


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
