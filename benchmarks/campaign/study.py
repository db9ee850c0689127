"""A study of a few steps, whose workers are this process when it goes on after an interruption."""

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.campaign import commands, kills
from benchmarks.campaign.commands import BROKE, FINISHED, OUTPUT, REFUSED, End
from benchmarks.campaign.trial import Row
from groundwork import files
from groundwork.errors import UserError
from pipelines import study_run
from pipelines.execution import execution, worker
from pipelines.study_run import StudyConfig

PLAN = """\
name: faults
title: A study to interrupt
question: Does it end as if nothing had happened?
origin: benchmarks.faults
reductions: []
settings:
  {model: linear, rounds: 2, clients_per_round: 2, max_examples: 20, evaluate_every: 1}
tasks:
  digits:
    task: digits
    dataset: {source: digits, partition: iid, num_clients: 6, split: by_example}
    starts: {random: {start: random}}
algorithms:
  FedAvg: {client_update: sgd, server_optimizer: sgd}
seeds: [0]
analyze:
  hessian: {of: start, settings: {probes: hessian, hessian_examples: 40, hessian_iterations: 10}}
budget: {minutes: 1, retries: 1}
"""


def campaign(row: Row, folder: Path, times: int) -> None:
    plan = folder / "plan.yaml"
    files.write_text(plan, PLAN)
    execution.Execution._new_worker = _worker_here  # type: ignore[method-assign]

    def run(place: Path) -> End:
        with commands.logged(place):
            try:
                result = study_run.run(StudyConfig(str(plan), str(place / OUTPUT), parallel=1))
            except UserError as error:
                return End(REFUSED, str(error))
        if result.failed:
            return End(BROKE, str(result.failed))
        return End(FINISHED) if result.report else End(BROKE, "no report")

    def start(place: Path) -> int:
        arguments = ["pipelines.study", f"--plan={plan}", f"--workdir={place / OUTPUT}"]
        return kills.spawn([*arguments, "--parallel=1"], folder / "log")

    kills.campaign(row, folder, times, run, start)


class _Here:
    """Stands in for a worker's process: a request is answered before `flush` returns."""

    returncode = 0

    def __init__(self, answers: int) -> None:
        self.stdin = self
        self._answers = answers
        self._text = ""

    def write(self, text: str) -> None:
        self._text += text

    def flush(self) -> None:
        request: dict[str, Any] = json.loads(self._text)
        self._text = ""
        os.write(self._answers, f"{json.dumps(worker._answer(request))}\n".encode())

    def close(self) -> None:
        os.close(self._answers)

    def poll(self) -> None:
        return None

    def terminate(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> int:
        return 0


def _worker_here(self: execution.Execution) -> Any:
    read_end, write_end = os.pipe()
    process: Any = _Here(write_end)
    made = execution._Worker(process, os.fdopen(read_end, "r", encoding="utf-8"))
    self._workers.append(made)
    return made
