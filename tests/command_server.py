"""Runs command lines of our programs in forks of one process, which has imported what they need.

`python -m tests.command_server MODULE...` reads a request a line (the arguments of `run`, as JSON)
and answers with a JSON object a line; `Server` is who asks. A fork has its own flags, little memory
to spare and little time: a program that takes more is ended, and the answer says so.
"""

import ast
import contextlib
import importlib
import importlib.util
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
MEBIBYTES = 3000
SECONDS = 90


class Server:
    def __init__(self, modules: Iterable[str], *paths: Path) -> None:
        """`paths` are searched for modules of tests' own."""
        searched = os.pathsep.join(map(str, (ROOT, *paths)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server", *sorted(set(modules))],
            env={**os.environ, "PYTHONPATH": searched},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(
        self,
        module: str,
        arguments: Iterable[str],
        folder: Path,
        seconds: int = SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        """The exit `code` (see _wait), what is printed to `out` and `err`, and the `seconds`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = [module, [*arguments], str(folder), seconds, {**(environment or {})}]
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer: dict[str, object] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


def preload(module: str) -> None:
    """Imports what a program imports, inside its functions too, but not the program itself."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    for node in ast.walk(ast.parse(Path(spec.origin).read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def run(
    module: str, arguments: list[str], folder: str, seconds: int, environment: dict[str, str]
) -> dict[str, object]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            os.environ.update(environment)
            _child(module, arguments, folder, out.fileno(), err.fileno())
        code = _wait(pid, seconds)
        taken = time.monotonic() - started
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(1 << 20).decode(errors="replace"))
        return {"code": code, "out": texts[0], "err": texts[1], "seconds": taken}


def _child(module: str, arguments: list[str], folder: str, out: int, err: int) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (MEBIBYTES << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, seconds: int) -> int:
    """The exit code; a program that takes too long is killed with all that it started."""

    def late(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    _, status = os.waitpid(pid, 0)
    signal.alarm(0)
    late(0, None)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    for module in sys.argv[1:]:
        preload(module)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
