"""A process that runs steps one after another, so that imports and built processes are paid once.

It reads one JSON request a line from its standard input, `{"module": ..., "arguments": [...],
"log": ...}`, runs the binary's `main` with these flags, and answers one JSON line on the file
descriptor it was given. It ends with its parent.
"""

import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError
from groundwork.memory import resident_megabytes
from groundwork.untyped import Json
from pipelines.plan.steps import PACKAGES

_PR_SET_PDEATHSIG = 1


def serve(answers_descriptor: int, parent: int) -> None:
    """Answers requests until the standard input closes."""
    _end_with(parent)
    command_line.quiet_libraries()
    with os.fdopen(answers_descriptor, "w", buffering=1, encoding="utf-8") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            answer = _answer(request)
            answers.write(json.dumps(answer) + "\n")


def _end_with(parent: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def _answer(request: dict[str, Json]) -> dict[str, Json]:
    """Runs one step with its output in the step's log; never raises for a failed step."""
    path, before = request["log"], _processor_seconds()
    with _turn(path), open(path, "a", encoding="utf-8") as log, _redirected(log.fileno()):
        try:
            code = run_main(request["module"], request["arguments"])
            message = "" if code == 0 else f"exit code {code}"
        except UserError as error:
            code, message = command_line.USER_ERROR_EXIT, str(error)
            print(f"error: {message}", file=sys.stderr)
        except BaseException as error:
            traceback.print_exc()
            if isinstance(error, KeyboardInterrupt):
                raise
            code, message = 1, f"{type(error).__name__}: {error}"
    return {
        "code": code,
        "message": message,
        "memory_mb": resident_megabytes(),
        "processor_seconds": _processor_seconds() - before,
    }


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


@contextlib.contextmanager
def _turn(path: str) -> Iterator[None]:
    """Waits for a worker whose study was killed: it may still be saving what this one continues."""
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _redirected(descriptor: int) -> Iterator[None]:
    """Sends the standard output and error of this process, libraries included, to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        os.close(saved[0])
        os.close(saved[1])


def run_main(module: str, arguments: Sequence[str]) -> int:
    """Calls the binary's `main` as its command line would, whatever ran before in this process."""
    binary = parse(module, arguments)
    # What a run or a dataset records as its command is this step's, not the worker's.
    sys.argv = ["python", "-m", module, *arguments]
    return binary.main() or 0


Defined = list[tuple[str, flags.Flag]]
# The flags of the binaries that stepped aside, with the modules that defined them.
_aside: dict[str, Defined] = {}
_at_work = [""]


def _taken_up(module: str) -> ModuleType:
    """Imports a binary, or takes it up again; the one before may have flags of the same names."""
    before = _at_work[0]
    if before != module:
        _aside[before] = _own_flags()
        for _, flag in _aside[before]:
            delattr(flags.FLAGS, flag.name)
        for owner, flag in _aside.pop(module, []):
            flags.FLAGS[flag.name] = flag
            flags.FLAGS.register_flag_by_module(owner, flag)
        _at_work[0] = module
    return importlib.import_module(module)


def _own_flags() -> Defined:
    """Those of libraries stay: a library is imported once."""
    return [
        (owner, flag)
        for owner, defined in flags.FLAGS.flags_by_module_dict().items()
        if owner.split(".")[0] in PACKAGES
        for flag in defined
    ]


def parse(module: str, arguments: Sequence[str]) -> ModuleType:
    """Imports the binary and gives its flags these values, and the others their defaults."""
    binary = _taken_up(module)
    for name in list(flags.FLAGS):
        flags.FLAGS[name].unparse()
    try:
        command_line.load_plugins([module, *arguments])
        left = flags.FLAGS([module, *arguments])
    except flags.Error as error:
        raise UserError(str(error)) from error
    if len(left) > 1:
        raise UserError(f"unexpected argument {left[1]!r}")
    command_line.check_paths()
    return binary


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
    command_line.end(0)
