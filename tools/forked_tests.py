"""Files of tests in forks of a process that has imported TensorFlow: no run pays for imports."""

import ast
import builtins
import compileall
import dataclasses
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("groundwork", "data_prep", "fed_pretrain", "pipelines", "tests", "tools", "benchmarks")
SETTINGS = ("pyproject.toml", "docs", "Makefile", "README.md", "environments")
LIBRARIES = (
    "tensorflow_federated",
    "apache_beam",
    "dp_accounting",
    "h5py",
    "hypothesis",
    "matplotlib.pyplot",
    "psutil",
    "pyarrow.parquet",
    "pytest",
    "scipy.optimize",
    "scipy.stats",
)
LONGEST = 600.0
WAITS = 10
"""A busy machine takes this many seconds, at most, for one of CPU."""
_NOTE = "_fed_pretrain_called"
_WITHOUT = f"""
import builtins
if not hasattr(builtins, {_NOTE!r}):
    setattr(builtins, {_NOTE!r}, lambda name: None)
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    passed: bool
    late: bool
    """Ended because it took too long."""
    seconds: float
    """Of CPU, with those of what it started."""
    reached: frozenset[str]
    """The functions of fed_pretrain that were called, as FILE:QUALIFIED.NAME."""


def import_once() -> None:
    """TensorFlow is imported and not started: a fork is as good as a fresh process."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", MPLBACKEND="Agg")
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    importlib.import_module("fed_pretrain")
    for name in LIBRARIES:
        importlib.import_module(name)


class Copy:
    """A copy of the tree, where code may be broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = folder / "said.txt"
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name)
        for name in filter(lambda name: (ROOT / name).exists(), SETTINGS):
            copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copied(ROOT / name, folder / name)
        for path in (folder / "fed_pretrain").rglob("*.py"):
            note_calls(path, str(path.relative_to(folder)))
        first = folder / "fed_pretrain" / "__init__.py"
        first.write_text(first.read_text(encoding="utf-8") + _WITHOUT, encoding="utf-8")
        compileall.compile_dir(folder, quiet=2)

    def run(self, tests: Path, limit: float = LONGEST) -> Outcome:
        """Until the first failure, or until this many seconds of CPU are spent."""
        report = self.folder / "reached.json"
        report.unlink(missing_ok=True)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                code = self._in_the_child(tests, report)
            except BaseException:
                code = 1
            os._exit(code)
        status, late, seconds = _end_of(child, limit)
        reached = json.loads(report.read_text()) if report.exists() else []
        return Outcome(status == 0, late, seconds, frozenset(reached))

    def _in_the_child(self, tests: Path, report: Path) -> int:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        # The broken file must not be found compiled by the next run.
        sys.dont_write_bytecode = True
        os.chdir(self.folder)
        sys.path[0] = str(self.folder)
        for name in [name for name in sys.modules if name.partition(".")[0] in COPIED]:
            del sys.modules[name]
        import pytest

        reached: set[str] = set()
        setattr(builtins, _NOTE, reached.add)
        options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
        code = int(pytest.main([*options, f"--rootdir={self.folder}", str(tests)]))
        report.write_text(json.dumps(sorted(reached)))
        return code


def note_calls(path: Path, name: str) -> None:
    """Lets each function of a file say that it is called: at once, where a tracer takes long."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def visit(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                documented = ast.get_docstring(child) is not None
                note = ast.parse(f"{_NOTE}({name + ':' + inside + child.name!r})").body
                visit(child, f"{inside}{child.name}.<locals>.")
                child.body[documented:documented] = note
            else:
                visit(
                    child, f"{inside}{child.name}." if isinstance(child, ast.ClassDef) else inside
                )

    visit(tree, "")
    path.write_text(ast.unparse(tree), encoding="utf-8")


def _end_of(child: int, limit: float) -> tuple[int, bool, float]:
    """Its status, whether it had to be killed, and its seconds of CPU."""
    before, process = _spent(), psutil.Process(child)
    end = time.monotonic() + WAITS * limit
    while time.monotonic() < end and sum(process.cpu_times()[:4]) < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, False, _spent() - before
        time.sleep(0.02)
    for one in process.children(recursive=True):
        one.kill()
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return signal.SIGKILL, True, _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
