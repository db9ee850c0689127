"""Runs the steps of a study: what is done is skipped, what fails is retried, the rest goes on.

Steps run in worker processes, one step at a time each. A worker keeps its imports, datasets and
compiled programs from step to step, so ready steps go to the worker that has run their kin.

A step that another process is at is left to it: its result is taken when it is there.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundwork import files, memory
from groundwork.errors import UserError
from groundwork.locks import StepLock
from groundwork.stores import mirror
from pipelines.plan import steps as steps_module
from pipelines.plan.steps import Step

STEPS = "steps"
"""The folder of the steps' outputs in a study's."""
_WORKER_MEMORY_SHARE = 0.35


@dataclass
class StepState:
    """How far one step is.

    `status` is waiting, running, elsewhere (another process is at it), done, skipped, failed or
    blocked. quiet_seconds: the wall time, or the processor time where others kept it waiting.
    """

    step: Step
    status: str = "waiting"
    attempts: int = 0
    seconds: float = 0.0
    quiet_seconds: float = 0.0
    message: str = ""
    output: Path | None = None
    fingerprint: str = ""
    started: float = 0.0

    @property
    def to_do(self) -> bool:
        return self.status in ("waiting", "elsewhere")

    @property
    def over(self) -> bool:
        return self.status in ("done", "skipped", "failed", "blocked")


@dataclass
class _Worker:
    """known: the affinities, and what they are parts of, of the steps it has run."""

    process: "subprocess.Popen[str]"
    answers: Any
    affinity: str = ""
    known: set[str] = field(default_factory=set)
    state: StepState | None = None
    key: str = ""


@dataclass
class Execution:
    """One pass over the steps of a study in `workdir`.

    only: the steps to run; the others are looked at, for what these read. None is all.
    grow: asked when all but the report is over; gives the steps so far and those that follow from
    them, with another report, or nothing.
    """

    steps: Sequence[Step]
    workdir: Path
    parallel: int = 1
    retries: int = 1
    only: Collection[str] | None = None
    on_change: Sequence[Callable[["Execution"], None]] = ()
    grow: Callable[["Execution"], Sequence[Step]] | None = None
    states: dict[str, StepState] = field(init=False)

    def __post_init__(self) -> None:
        self.states = {step.step_id: StepState(step) for step in self.steps}
        self._workers: list[_Worker] = []
        self._locks: dict[str, StepLock] = {}
        self._stopping = False

    @property
    def asked(self) -> list[StepState]:
        """The states of the steps to run."""
        return [s for name, s in self.states.items() if self.only is None or name in self.only]

    @property
    def all_done(self) -> bool:
        return all(state.status in ("done", "skipped") for state in self.asked)

    def run(self) -> bool:
        """Runs until every step asked for is over; true when all are done."""
        try:
            while not self._stopping:
                self.catch_up()
                if all(state.over for state in self.asked):
                    break
                # Before anything starts: the report step reads the record this writes.
                self._tell()
                self._start_ready_steps()
                self._wait(seconds=0.5)
            self._tell()
        finally:
            self._end(*self._workers)
        return self.all_done

    def settle(self) -> None:
        """Finds the steps that are done already, and those that cannot run."""
        for state in self.states.values():
            if state.to_do:
                self._settle(state)

    def catch_up(self) -> None:
        """Settles what is done, and takes in the steps that follow from it."""
        self.settle()
        while self._grown():
            self.settle()

    def _grown(self) -> bool:
        before = (s for s in self.states.values() if s.step.kind != "report")
        if self.grow is None or not all(state.over for state in before):
            return False
        steps = self.grow(self)
        if not steps:
            self.grow = None
            return False
        known = {n: s for n, s in self.states.items() if s.step.kind != "report"}
        self.states = {step.step_id: known.get(step.step_id) or StepState(step) for step in steps}
        return True

    def _tell(self) -> None:
        for listener in self.on_change:
            listener(self)

    def stop(self) -> None:
        """Starts nothing more; running steps are asked to save and leave."""
        self._stopping = True

    def folder(self, state: StepState, key: str) -> Path:
        return self.workdir / STEPS / f"{state.step.step_id}@{key[:8]}"

    def _start_ready_steps(self) -> None:
        idle = [worker for worker in self._workers if worker.state is None]
        missing = self.parallel - len(self._workers)
        for worker in [*idle, *[None] * missing]:
            chosen = next(filter(self._claim, self._preferred(worker)), None)
            if chosen is None:
                break
            self._launch(worker or self._new_worker(), chosen)

    def _settle(self, state: StepState) -> None:
        """Blocks a step whose input failed; skips one that is done already."""
        inputs = [self.states[name] for name in state.step.inputs()]
        # A report is made of what there is: failed cells are named in it.
        tolerant = state.step.kind == "report"
        if not tolerant and any(i.status in ("failed", "blocked") for i in inputs):
            state.status, state.message = "blocked", "an input of it failed"
        elif all(i.over for i in inputs):
            self._skip_if_done(state)

    def _skip_if_done(self, state: StepState) -> None:
        key = self._key(state)
        output = self.folder(state, key)
        record = steps_module.read_record(output)
        if record is not None and record.key == key:
            state.status, state.output = "skipped", output
            state.fingerprint, state.seconds = record.fingerprint, record.seconds
            state.quiet_seconds = record.quiet_seconds

    def _key(self, state: StepState) -> str:
        fingerprints = {
            name: self.states[name].fingerprint or self.states[name].status
            for name in state.step.inputs()
        }
        return steps_module.key(state.step, fingerprints)

    def _preferred(self, worker: _Worker | None) -> Iterator[StepState]:
        """Ready steps: kin of the worker's own, then those that no other worker knows.

        What each structure compiles to is so compiled once, as long as there is other work.
        """
        ready = [
            state
            for state in self.asked
            if state.to_do and all(self.states[name].over for name in state.step.inputs())
        ]
        own, known = (worker.affinity, worker.known) if worker is not None else ("", set[str]())
        taken = set[str]().union(*(w.known for w in self._workers if w is not worker))

        def strangeness(state: StepState) -> tuple[bool, bool, bool, int]:
            affinity = state.step.affinity
            unknown = sum(part not in known for part in steps_module.kinship(affinity))
            restart = _family(affinity) != _family(own)
            return affinity not in known, restart, affinity in taken, unknown

        return iter(sorted(ready, key=strangeness))

    def _claim(self, state: StepState) -> bool:
        """Takes the step's lock, unless another process has it or has just done the step."""
        lock = StepLock(self.folder(state, self._key(state)))
        if not lock.acquire():
            state.status = "elsewhere"
            return False
        self._skip_if_done(state)
        if state.over:
            lock.release()
            return False
        self._locks[state.step.step_id] = lock
        return True

    def _new_worker(self) -> _Worker:
        read_end, write_end = os.pipe()
        command = [
            sys.executable,
            "-m",
            "pipelines.execution.worker",
            str(write_end),
            str(os.getpid()),
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[write_end], text=True, start_new_session=True
        )
        os.close(write_end)
        worker = _Worker(process, os.fdopen(read_end, "r", encoding="utf-8"))
        self._workers.append(worker)
        return worker

    def _launch(self, worker: _Worker, state: StepState) -> None:
        strange = worker.affinity and _family(worker.affinity) != _family(state.step.affinity)
        killed_while_idle = worker.process.poll() is not None
        if strange or killed_while_idle:
            self._end(worker)
            worker = self._new_worker()
        key = self._key(state)
        output = self.folder(state, key)
        output.mkdir(parents=True, exist_ok=True)
        files.remove_temporaries(output / steps_module.RECORD)
        folders = {name: self._output_of(name) for name in state.step.inputs()}
        request = {
            "module": state.step.module,
            "arguments": self._arguments(state, folders, output),
            "log": str(self._log(output)),
        }
        worker.affinity, worker.state, worker.key = state.step.affinity, state, key
        worker.known.update(steps_module.kinship(state.step.affinity))
        state.status, state.output, state.started = "running", output, time.monotonic()
        state.attempts += 1
        assert worker.process.stdin is not None
        # Of a worker that was killed this very moment the answer is that it ended.
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.write(json.dumps(request) + "\n")
            worker.process.stdin.flush()

    def _arguments(self, state: StepState, folders: Mapping[str, Path], output: Path) -> list[str]:
        arguments = steps_module.arguments(state.step, folders, output)
        if state.step.kind == "report":
            arguments.append(f"--study={self.workdir / 'study.json'}")
        return arguments

    def _output_of(self, name: str) -> Path:
        return self.states[name].output or Path(os.devnull)

    def _log(self, output: Path) -> Path:
        """Beside the output folder, so that a binary finds its folder as it left it."""
        return output.with_name(output.name + ".log")

    def _wait(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            busy = [worker for worker in self._workers if worker.state is not None]
            for worker in busy:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            if not busy:
                if any(state.status == "elsewhere" for state in self.asked):
                    time.sleep(seconds)
                return
            for selected, _ in selector.select(seconds):
                self._receive(selected.data)

    def _receive(self, worker: _Worker) -> None:
        state = worker.state
        assert state is not None
        line = worker.answers.readline()
        state.seconds = state.quiet_seconds = time.monotonic() - state.started
        worker.state = None
        if line:
            answer = json.loads(line)
            code, message = answer["code"], answer["message"]
            state.quiet_seconds = min(state.seconds, answer["processor_seconds"])
            if answer["memory_mb"] * 1e6 > _WORKER_MEMORY_SHARE * memory.bytes_of_machine():
                self._end(worker)
        else:
            self._end(worker)
            code, message = worker.process.returncode, _ended(worker.process.returncode)
        if code == 0:
            self._finish(state, worker.key)
        else:
            self._fail(state, code, message)
        assert state.output is not None
        mirror.publish(self._log(state.output))
        self._locks.pop(state.step.step_id).release()

    def _finish(self, state: StepState, key: str) -> None:
        assert state.output is not None
        try:
            mirror.publish(state.output)
            record = steps_module.write_record(
                state.output, state.step, key, state.seconds, state.quiet_seconds
            )
        except (UserError, OSError) as error:
            self._fail(state, 1, str(error))
            return
        state.status, state.fingerprint, state.message = "done", record.fingerprint, ""

    def _fail(self, state: StepState, code: int, message: str) -> None:
        """A user's mistake (exit 2) would fail again; anything else is tried once more."""
        state.message = message
        may_retry = code != 2 and state.attempts <= self.retries
        state.status = "waiting" if may_retry else "failed"

    def _end(self, *workers: _Worker) -> None:
        """All are asked to save and leave before the first of them is waited for."""
        for worker in workers:
            self._workers.remove(worker)
            if worker.state is not None:
                worker.process.terminate()
            assert worker.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                worker.process.stdin.close()
        for worker in workers:
            self._wait_for_end(worker)

    def _wait_for_end(self, worker: _Worker) -> None:
        try:
            worker.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.answers.close()
        if worker.state is not None:
            worker.state.status = "waiting"
            self._locks.pop(worker.state.step.step_id).release()


# These set TensorFlow's threads before anything else: they can follow each other in a process.
_RUNS = ("fed_pretrain.train", "fed_pretrain.analyze", "pipelines.tune")


def _family(affinity: str) -> str:
    """What one process does without being started anew."""
    program = affinity.split("/", 1)[0]
    return "runs" if program in _RUNS else program


def _ended(code: int) -> str:
    if code < 0:
        return f"its process was ended by signal {-code}"
    return f"its process ended with code {code}"


def forget_stale_outputs(execution: Execution) -> int:
    """Removes outputs of keys that no step of this plan has any more; returns how many.

    The key of a step follows from what it reads: before all is done some keys are not known.
    """
    if not execution.all_done:
        raise UserError("--forget_stale removed nothing: it needs every step of the study done")
    kept = {state.output for state in execution.states.values()}
    removed = 0
    for record in list((execution.workdir / STEPS).rglob(steps_module.RECORD)):
        if record.parent not in kept:
            mirror.remove_folder(mirror.address(record.parent))
            removed += 1
    return removed
