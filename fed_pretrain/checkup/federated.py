"""Does TensorFlow see its devices, and does each executor run a round? Asked of child processes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from fed_pretrain.checkup import verdict
from fed_pretrain.checkup.verdict import Verdict
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.known_executors import EXECUTORS, KnownExecutor
from groundwork.untyped import Json


class ChildFailed(Exception):
    """What a child process said last before it failed."""


def examine(timeout_seconds: float, asked: ExecutorOptions | None = None) -> Iterator[Verdict]:
    """A round by the executor `asked` for; otherwise TensorFlow's devices, and all executors.

    An executor that nobody asked for need not be installed.
    """
    if asked is not None:
        yield one_round(EXECUTORS[asked.executor], timeout_seconds, asked)
        return
    yield from devices(timeout_seconds)
    for known in EXECUTORS.values():
        if known.missing():
            yield verdict.note(f"round by {known.name}", known.missing(), known.cure)
        else:
            yield one_round(known, timeout_seconds)


def devices(timeout_seconds: float) -> Iterator[Verdict]:
    """A line a device: did it convolve and multiply?"""
    try:
        found = ask("devices", timeout_seconds)["devices"]
    except ChildFailed as failure:
        yield verdict.fail(
            "devices", f"TensorFlow cannot start: {failure}", "install requirements.lock anew"
        )
        return
    for name, answer in found.items():
        if "error" in answer:
            cure = f"leave {name} out of --devices, or install its libraries (`make gpu`)"
            yield verdict.fail(f"device {name}", answer["error"], cure)
        else:
            did = f"convolves and multiplies, {answer['seconds']:.2f} s"
            yield verdict.ok(f"device {name}", did)
    if all(name.startswith("CPU") for name in found) and os.path.exists("/proc/driver/nvidia"):
        yield verdict.note("device GPU", "none, though there is an NVIDIA driver", "`make gpu`")


def one_round(
    executor: KnownExecutor, timeout_seconds: float, options: ExecutorOptions = DEFAULT
) -> Verdict:
    subject = f"round by {executor.name}"
    asked = dataclasses.replace(options, executor=executor.name)
    try:
        answer = ask(json.dumps(dataclasses.asdict(asked)), timeout_seconds)
    except ChildFailed as failure:
        return verdict.fail(subject, str(failure), executor.cure)
    place = f" on {answer['runs_on']}" if answer["runs_on"] else ""
    return verdict.ok(subject, f"gives NumPy's answer, {answer['seconds']:.1f} s{place}")


def ask(question: str, timeout_seconds: float) -> dict[str, Json]:
    """Runs one_round.py in a separate process group, which is ended whatever happens."""
    child = subprocess.Popen(
        [sys.executable, "-m", "fed_pretrain.checkup.one_round", question],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"no answer within {timeout_seconds:.0f} s") from None
    finally:
        _end_group(child)
    if child.returncode < 0:
        raise ChildFailed(f"ended by signal {signal.Signals(-child.returncode).name}")
    if child.returncode > 0:
        lines = [line for line in errors.splitlines() if line.strip()]
        raise ChildFailed(lines[-1][:300] if lines else f"exit code {child.returncode}")
    answer: dict[str, Json] = json.loads(output.splitlines()[-1])
    return answer


def _end_group(child: "subprocess.Popen[str]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()
