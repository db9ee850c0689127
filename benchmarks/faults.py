"""A fault campaign: programs are killed, disks fill, bits flip, workers die; nothing may be lost.

    python -m benchmarks.faults                     100 times each; hours
    python -m benchmarks.faults --smoke             each fault a few times, in a minute or two
    python -m benchmarks.faults --only=prepare,study --times=20
    python -m benchmarks.faults --table             write what was found into docs/reliability.md

A trial is one interruption, after which the same command is given again. It ends in one of three
ways: the same bytes as a run that nothing happened to (but for what names times and places), one
sentence that refuses, or a loss. A tenth of the kills are SIGKILLs of a process at a random time;
the others go on from what a kill leaves on the disk: the folder is copied before a random one of
all file operations of the command (half of the times with the file that was being written cut at a
random byte, a third of the times twice in a row), and the copy is continued.

Results go to --output, a file a row; --table takes what is there.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, smoke
from groundwork import files, versions
from tools import page_tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
_HEADER = ("what happened", "tried", "the same bytes", "refused in a sentence", "lost", "how")
_SMOKE_ROWS = ("prepare", "flips_datasets")
_SMOKE_TIMES = 4


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=100, help="trials of each row")
    parser.add_argument("--only", default="", help="rows, separated by commas")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most, for each row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks/faults"))
    smoke.add(parser)
    parser.add_argument("--table", action="store_true", help="only rewrite docs/reliability.md")
    options = parser.parse_args()
    if options.table:
        page_tables.rewrite(PAGE, {"faults": lambda: _report(options.output)})
        return 0
    machine.announce()
    from benchmarks.campaign.rows import ROWS

    names = options.only.split(",") if options.only else list(ROWS)
    if options.smoke:
        names, options.times = list(_SMOKE_ROWS), _SMOKE_TIMES
    options.output.mkdir(parents=True, exist_ok=True)
    for name in names:
        times = max(1, round(options.times * ROWS[name].share))
        _run(name, times, options)
    found = [_read(options.output, name) for name in names]
    print(_table(found))
    if options.smoke:
        smoke.check({row["name"]: row["tried"] for row in found}, count=len(_SMOKE_ROWS))
    lost = sum(row["counts"].get("lost", 0) for row in found)
    print(f"lost: {lost}")
    return 1 if lost else 0


def _run(name: str, times: int, options: argparse.Namespace) -> None:
    file = options.output / f"{name}.json"
    arguments = [name, str(times), str(options.seed), str(options.minutes), str(file)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with open(options.output / f"{name}.log", "wb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.campaign.child", *arguments],
            env=environment,
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{name} failed with {done.returncode}: see {log.name}")
    row = _read(options.output, name)
    files.write_json(file, {**row, **machine.describe(), "versions": versions.current()})
    print(f"{name}: {row['counts']} in {row['seconds']:.0f} s", flush=True)


def _read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _table(rows: Sequence[dict[str, Any]]) -> str:
    from benchmarks.campaign.rows import ROWS

    return page_tables.markdown(_HEADER, [_cells(ROWS[row["name"]].title, row) for row in rows])


def _cells(title: str, row: dict[str, Any]) -> Sequence[str]:
    counts = [str(row["counts"].get(verdict, 0)) for verdict in ("same", "refused", "lost")]
    how = ", ".join(f"{count} {note}" for note, count in sorted(row["notes"].items()))
    return (title, str(row["tried"]), *counts, how)


def _report(folder: Path) -> str:
    """The rows that were finished, and by which commands on which machines."""
    from benchmarks.campaign.rows import ROWS

    found = [_read(folder, name) for name in ROWS if (folder / f"{name}.json").exists()]
    rows = [row for row in found if "command" in row]
    made = dict.fromkeys(map(_made, rows))
    return f"{_table(rows)}\nMade by\n\n{''.join(f'- {one}' + chr(10) for one in made)}"


def _made(row: dict[str, Any]) -> str:
    command = " ".join(word for word in row["command"].split() if not word.startswith("--output="))
    return f"`{command}` on {row['machine'].partition(', load')[0]}"


if __name__ == "__main__":
    sys.exit(main())
