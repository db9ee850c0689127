"""A fault campaign: programs are killed, disks fill, bits flip, workers die; nothing may be lost.

    python -m benchmarks.faults                     100 times each; an hour of a quiet machine
    python -m benchmarks.faults --smoke             each fault a few times, in a minute or two
    python -m benchmarks.faults --only=prepare,study --times=20
    python -m benchmarks.faults --table             write what was found into docs/reliability.md

A trial is one interruption, after which the same command is given again. It ends in one of three
ways: the same bytes as a run that nothing happened to (but for what names times and places), one
sentence that refuses, or a loss. One of twenty kills is a SIGKILL of a process at a random time,
and another process goes on; the others go on from what a kill leaves on the disk: the folder
is copied before a random one of all file operations of the command (half of the times with the file
that was being written cut at a random byte, a third of the times twice in a row), and the copy is
continued.

What was found goes to --output, a file a row. The same command adds to it until each row has its
trials, a quarter of them at a time, so it may be ended whenever one likes. Once a loss is mended,
remove its row's file.
"""

import argparse
import importlib
import json
import logging
import math
import os
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, smoke
from benchmarks.campaign import trial
from benchmarks.campaign.rows import ROWS
from groundwork import command_line, owners, versions
from pipelines.execution import worker
from tools import page_tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
_HEADER = ("what happened", "tried", "the same bytes", "refused in a sentence", "lost", "how")
_SMOKE_ROWS = ("prepare", "flips_datasets")
_SMOKE_TIMES = 4
_TURNS = 4
_FOLDER = "faults-"


def main() -> int:
    parser = smoke.parser(__doc__)
    parser.add_argument("--times", type=int, default=100, help="trials of each row, in all")
    parser.add_argument("--only", default="", help="rows, separated by commas")
    parser.add_argument("--minutes", type=float, default=600.0, help="at most, for all rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks/faults"))
    parser.add_argument("--table", action="store_true", help="only rewrite docs/reliability.md")
    options = parser.parse_args()
    if options.table:
        page_tables.rewrite(PAGE, {"faults": lambda: _report(options.output)})
        return 0
    machine.announce()
    names = options.only.split(",") if options.only else list(ROWS)
    if options.smoke:
        names, options.times = list(_SMOKE_ROWS), _SMOKE_TIMES
    options.output.mkdir(parents=True, exist_ok=True)
    _import_once(names)
    stop = time.monotonic() + 60 * options.minutes
    for turn in range(1, _TURNS + 1):
        for name in names:
            _run(name, math.ceil(options.times * turn / _TURNS), stop, options)
    found = [_read(options.output, name) for name in names]
    print(_table(found))
    if options.smoke:
        smoke.check({row["name"]: _tried(row) for row in found}, count=len(_SMOKE_ROWS))
    lost = sum(row["counts"].get("lost", 0) for row in found)
    print(f"lost: {lost}")
    return 1 if lost else 0


def _import_once(names: Sequence[str]) -> None:
    """TensorFlow is imported and not started: a fork of this process is as good as a fresh one."""
    command_line.quiet_libraries()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    logging.disable(logging.WARNING)  # Beam's remarks on absent cloud tools.
    for module in dict.fromkeys(module for name in names for module in ROWS[name].imports):
        importlib.import_module(module)


def _run(name: str, times: int, stop: float, options: argparse.Namespace) -> None:
    """In a fork: it starts TensorFlow, and is spared the seconds of the imports."""
    file = options.output / f"{name}.json"
    if time.monotonic() > stop or (file.exists() and _tried(_read(options.output, name)) >= times):
        return
    log = os.open(file.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        worker._end_with(parent)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            _one_row(trial.Row.go_on(file, options.seed, stop, _maker()), times)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)  # Libraries' threads may wait for ever for a worker that was killed.
    os.close(log)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{name} failed: see {file.with_suffix('.log')}")
    cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    print(f"{name}: {_read(options.output, name)['counts']}, {cpu:.0f} s CPU so far", flush=True)


def _one_row(row: trial.Row, times: int) -> None:
    owners.remove_of_the_dead(Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"))
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{owners.mark()}-") as folder:
        ROWS[row.name].run(row, Path(folder), times)
    row.write()


def _maker() -> dict[str, str]:
    """The same for every turn of a command: loads come and go."""
    described = machine.describe()
    return {
        "command": re.sub(r" --output=\S+", "", described["command"]),
        "machine": described["machine"].partition(", load")[0],
        "commit": versions.current()["commit"][:9],
    }


def _read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _tried(row: dict[str, Any]) -> int:
    return sum(row["counts"].values())


def _table(rows: Sequence[dict[str, Any]]) -> str:
    return page_tables.markdown(_HEADER, [_cells(ROWS[row["name"]].title, row) for row in rows])


def _cells(title: str, row: dict[str, Any]) -> Sequence[str]:
    counts = [str(row["counts"].get(verdict, 0)) for verdict in ("same", "refused", "lost")]
    how = ", ".join(f"{count} {note}" for note, count in sorted(row["notes"].items()))
    return (title, str(_tried(row)), *counts, how)


def _report(folder: Path) -> str:
    """The rows that were begun, and by which commands on which machines."""
    found = [_read(folder, name) for name in ROWS if (folder / f"{name}.json").exists()]
    made = dict.fromkeys(
        "`{command}` at commit {commit} on {machine}".format(**maker)
        for row in found
        for maker in row["made"]
    )
    return f"{_table(found)}\nMade by\n\n{''.join(f'- {one}' + chr(10) for one in made)}"


if __name__ == "__main__":
    sys.exit(main())
