"""Refuses wrong names and values of flags in every section of a plan before anything runs.

Each step's command line is parsed by its own binary, in one process a binary; folders that do not
exist yet are replaced. What a binary says of a flag is reported with the place that sets it.
"""

import contextlib
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from groundwork.errors import UserError
from pipelines.plan import steps as steps_module
from pipelines.plan.document import Document, Place
from pipelines.plan.plan import TuningPlan
from pipelines.plan.steps import Input, Step

_LATER = Path("made-by-the-study")
# The arguments, and whether they are all that a step has: of one alone, only its form is checked.
_Line = tuple[tuple[str, ...], bool]
_FLAG_IN_MESSAGE = re.compile(r"--(\w+)|flag is named '([^']+)'")


@dataclass(frozen=True)
class Mistake:
    """What a binary says of one step's flags."""

    step: Step
    message: str

    @property
    def place(self) -> Place:
        """Where the first flag that the message names was set; () when the plan sets none."""
        named = (a or b for a, b in _FLAG_IN_MESSAGE.findall(self.message))
        return next((self.step.origins[name] for name in named if name in self.step.origins), ())


def check(steps: Sequence[Step], document: Document, tuning: TuningPlan | None = None) -> None:
    """Raises the first mistake in the plan."""
    refuse(mistakes([with_tuned_rates(step, tuning) for step in steps]), document)


def refuse(found: Iterable[Mistake], document: Document) -> None:
    first = min(found, key=lambda mistake: document.rank(mistake.place), default=None)
    if first is not None:
        raise UserError(_sentence(first, document))


def _sentence(mistake: Mistake, document: Document) -> str:
    section = ".".join(map(str, mistake.place[:-1])) or mistake.step.step_id
    return f"{document.where(mistake.place)}: {section}: {mistake.message}"


def with_tuned_rates(step: Step, tuning: TuningPlan | None) -> Step:
    """The rates that a tuning will choose are stood in for by the first candidates."""
    if tuning is None or step.kind not in ("trial", "tune", "train"):
        return step
    rates = {name: candidates[0] for name, candidates in tuning.rates.items()}
    origins = {name: ("tuning", "rates", name) for name in rates}
    flags = dict(step.flags)
    if isinstance(flags.get("flagfile"), Input):
        del flags["flagfile"]
    return replace(step, flags={**rates, **flags}, origins={**origins, **step.origins})


def mistakes(steps: Iterable[Step]) -> Iterator[Mistake]:
    """One a distinct command line that its binary refuses."""
    distinct: dict[str, dict[_Line, Step]] = defaultdict(dict)
    for step in steps:
        if not step.origins:
            continue
        if step.output_flag in step.flags:
            yield Mistake(step, f"--{step.output_flag} is for the study to choose")
        folders = dict.fromkeys(step.inputs(), _LATER)
        whole = tuple(steps_module.arguments(step, folders, _LATER))
        distinct[step.module].setdefault((whole, True), step)
        for place, value in step.overridden:
            name = str(place[-1])
            alone = (steps_module.argument(name, value),)
            distinct[step.module].setdefault((alone, False), replace(step, origins={name: place}))
    answers = _parsed({module: list(lines) for module, lines in distinct.items()})
    for module, messages in answers.items():
        for step, message in zip(distinct[module].values(), messages, strict=True):
            if message is not None:
                yield Mistake(step, message)


def _parsed(command_lines: Mapping[str, Sequence[object]]) -> dict[str, list[str | None]]:
    """What each binary says of its command lines; the binaries work side by side."""
    processes = {module: _process(module) for module in command_lines}
    for module, process in processes.items():
        assert process.stdin is not None
        # Of a process that has died, its exit code is all there is.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(command_lines[module]))
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    answers = {module: _output(process) for module, process in processes.items()}
    for module, process in processes.items():
        if process.returncode:
            raise UserError(
                f"python -m {module} cannot be asked about its flags (exit code"
                f" {process.returncode}; see its output above)"
            )
    return {module: json.loads(text.splitlines()[-1]) for module, text in answers.items()}


def _process(module: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pipelines.execution.flag_parsing", module]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _output(process: "subprocess.Popen[str]") -> str:
    """All it says, once it has ended."""
    assert process.stdout is not None
    with process:
        return process.stdout.read()
