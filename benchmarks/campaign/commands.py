"""The commands that are killed, and how one is run inside this process.

A start of TensorFlow costs seconds. A process that runs command after command, as a study's worker
does, pays it once, so that a hundred interruptions of one command cost minutes.
"""

import contextlib
import dataclasses
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from groundwork.errors import UserError
from pipelines.execution import worker

OUTPUT = "out"
FINISHED, REFUSED, BROKE = "finished", "refused", "broke"
_RUN = (
    *("--task=digits", "--model=linear", "--rounds=3", "--clients_per_round=2"),
    *("--max_examples=20", "--checkpoint_every=2", "--evaluate_every=1"),
)


@dataclasses.dataclass(frozen=True)
class Command:
    """`place` is the folder that the command works in; its output is `out` in there."""

    module: str
    flags: Sequence[str]
    output_flag: str = "workdir"

    def arguments(self, place: Path) -> list[str]:
        return [*self.flags, f"--{self.output_flag}={place / OUTPUT}"]


@dataclasses.dataclass(frozen=True)
class End:
    """`words`: the sentence of a refusal, or the last lines of what broke."""

    kind: str
    words: str = ""


def train(*more: str) -> Command:
    return Command("fed_pretrain.train", (*_RUN, *more))


# A title, and the flags.
TRAININGS: Mapping[str, Sequence[str]] = {
    "fedavg": ("FedAvg", "--algorithm=fedavg"),
    "fedadam": ("FedAdam", "--algorithm=fedadam"),
    "scaffold": ("SCAFFOLD", "--algorithm=scaffold"),
    "feddyn": ("FedDyn", "--algorithm=feddyn"),
    "mime": ("Mime", "--algorithm=mime"),
    "fednova": ("FedNova", "--algorithm=fednova"),
    "late": ("with late clients", "--algorithm=fedavg", "--late_rounds=2", "--notensorboard"),
    "private": (
        "with privacy",
        "--algorithm=fedavg",
        "--dp_noise_multiplier=0.5",
        "--weighting=uniform",
    ),
}
PREPARE = Command(
    "data_prep.prepare",
    ("--source=digits", "--partition=dirichlet", "--num_clients=10", "--shards=3", "--workers=1"),
    "output",
)
ANALYZE = Command(
    "fed_pretrain.analyze",
    (
        *("--task=digits", "--model=linear", "--start=random", "--clients_per_round=2"),
        *("--max_examples=20", "--probes=hessian,alignment,drift", "--hessian_examples=40"),
        "--hessian_iterations=10",
    ),
)


def run(command: Command, place: Path) -> End:
    """Runs it in this process; what it prints goes to the log of the place."""
    with logged(place):
        try:
            code = worker.run_main(command.module, command.arguments(place))
        except UserError as error:
            return End(REFUSED, str(error))
        except Exception:
            return End(BROKE, traceback.format_exc()[-2000:])
    return End(FINISHED) if code == 0 else End(BROKE, f"exit code {code}")


@contextlib.contextmanager
def logged(place: Path) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        with worker._redirected(descriptor):
            yield
    finally:
        os.close(descriptor)
