"""Rounds of federated averaging by every framework at hand: the same work, in turn.

    make bench-peers                              their environments (6 GB), then all of it
    python -m benchmarks.peers --minutes=11       all contestants whose environment is there
    python -m benchmarks.peers --cases=cnn_10 --contestants=ours,pfl,flower
    python -m benchmarks.peers --page             writes docs/benchmarks.md from the last figures
    python -m benchmarks.peers --smoke            two clients, ours and the bare TensorFlow loop

Each contestant is its own process (contestants/, README.md). It is started alone, and its
first round is compared with the same round in float64; one that is further away than 5 % did other
work, and is not compared. Then all take turns, one round each, until the case's share of the
minutes is over. The others idle meanwhile. A case that is not run keeps its last figures, which
stand in results.json beside this file.
"""

import contextlib
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import psutil

from benchmarks import machine, smoke
from benchmarks.peers import cases, process, work
from benchmarks.peers.contestants import CONTESTANTS, OURS, SMOKE
from benchmarks.peers.process import ROOT, Failed, Process
from groundwork import files

LEAST_TURNS, MOST_TURNS = 2, 9
SMOKE_CASE = "smoke"
RESULTS = pathlib.Path(__file__).with_name("results.json")


def main() -> None:
    parser = smoke.parser(__doc__)
    wanted = [name for name in cases.CASES if name != SMOKE_CASE]
    parser.add_argument("--cases", default=",".join(wanted), help=f"of {', '.join(cases.CASES)}")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("--minutes", type=float, default=11.0, help="of all cases together")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "runs/benchmarks/peers")
    options = parser.parse_args()
    if options.smoke:
        _smoke()
        return
    if not options.page:
        names = [name for name in options.contestants.split(",") if _at_hand(name)]
        _measure(options.cases.split(","), names, options.minutes, options.output)
    from benchmarks.peers import page

    page.write(json.loads(RESULTS.read_text()))


def _smoke() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = race(SMOKE_CASE, SMOKE, time.monotonic(), pathlib.Path(folder))
    figures = {f"{n} {k}": found[n][k] for n in SMOKE for k in ("first_seconds", "error")}
    figures |= {f"{name} seconds": found[name]["seconds"][0] for name in SMOKE}
    smoke.check(figures, count=6)
    if max(found[name]["error"] for name in SMOKE) > 1e-3:
        raise SystemExit(f"--smoke: the updates are wrong: {figures}")


def _at_hand(name: str) -> bool:
    if process.python_of(name).exists():
        return True
    print(f"{name}: no environment; `make peers` makes it", flush=True)
    return False


def _measure(case_names: list[str], names: list[str], minutes: float, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    machine.announce()
    for name in case_names:
        case_file(name, folder)
    result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    made = _circumstances(names)
    end = time.monotonic() + 60 * minutes
    for number, name in enumerate(case_names):
        now = time.monotonic()
        until = now + (end - now) / (len(case_names) - number)
        print(f"\n{cases.CASES[name].title}", flush=True)
        found = race(name, names, until, folder)
        result[name] = {"title": cases.CASES[name].title, "contestants": found, "made": made}
        files.write_json(RESULTS, result)


def _circumstances(names: Iterable[str]) -> dict[str, Any]:
    packages = sorted({(p, n) for n in names for p in CONTESTANTS[n].packages})
    found = {package: _version(package, name) for package, name in packages}
    return {**machine.circumstances(), "versions": found}


def _version(package: str, name: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    command = [str(process.python_of(name)), "-c", code]
    return subprocess.check_output(command, text=True).strip()


def case_file(name: str, folder: pathlib.Path) -> pathlib.Path:
    """Kept until the code that makes it changes."""
    code = b"".join(pathlib.Path(module.__file__).read_bytes() for module in (cases, work))
    digest = hashlib.sha256(code).hexdigest()[:12]
    file = folder / f"{name}-{digest}.npz"
    if not file.exists():
        made = file.with_name("unfinished.npz")
        command = [sys.executable, "-m", "benchmarks.peers.cases", name, str(made)]
        subprocess.run(command, cwd=ROOT, check=True)
        made.replace(file)
    return file


def race(name: str, names: Iterable[str], until: float, folder: pathlib.Path) -> dict[str, Any]:
    """The figures of each contestant, by its name."""
    case, found = case_file(name, folder), {}
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: dict[str, Process] = {}
        for contestant in names:
            found[contestant] = one = _first(contestant, case, scratch, stack)
            print(f"  {contestant:16} {_short(one)}", flush=True)
            if (started := one.pop("process", None)) is None:
                continue
            running[contestant] = started
            if contestant != OURS and _memory_is_short():
                pair = {n: running[n] for n in (OURS, contestant) if n in running}
                _take_turns(pair, found, time.monotonic())
                running.pop(contestant).close()
        _take_turns(running, found, until)
    for contestant in filter(lambda n: "failed" not in found[n], found):
        print(f"  {contestant:16} {_short(found[contestant])}", flush=True)
    return found


def _memory_is_short() -> bool:
    """The next contestant may need as much as the largest."""
    memory = psutil.virtual_memory()
    return memory.available < memory.total / 2


def _first(
    name: str, case: pathlib.Path, scratch: pathlib.Path, stack: contextlib.ExitStack
) -> dict[str, Any]:
    try:
        started = Process(name, case, scratch)
        stack.callback(started.close)
        spent = started.first()
    except Failed as failure:
        return {"failed": str(failure)}
    return {
        "process": started,
        "error": _error(case, started.weights()),
        "first_seconds": spent.seconds,
        "first_cpu_seconds": spent.cpu_seconds,
        "resident": started.resident,
        "proportional": started.proportional,
        "seconds": [],
        "cpu_seconds": [],
        "ours": [],
    }


def _error(case: pathlib.Path, weights: Mapping[str, np.ndarray]) -> float:
    """Of the update, relative to the right one, in the norm of all weights together."""
    wrong = moved = 0.0
    with np.load(case) as file:
        for name, weight in weights.items():
            answer = file[f"answer {name}"]
            wrong += float(np.square(weight - answer).sum())
            moved += float(np.square(file[f"begin {name}"] - answer).sum())
    return (wrong / moved) ** 0.5


def _take_turns(running: Mapping[str, Process], found: dict[str, Any], until: float) -> None:
    """Each round's figures, beside those of the round of ours before it."""
    longest = 0.0
    for turn in range(MOST_TURNS):
        began = time.monotonic()
        if turn >= LEAST_TURNS and began + longest > until:
            break
        ours = None
        for name, contestant in running.items():
            if "failed" in found[name]:
                continue
            try:
                spent = contestant.round()
            except Failed as failure:
                found[name]["failed"] = str(failure)
                continue
            ours = spent if name == OURS else ours
            found[name]["seconds"].append(spent.seconds)
            found[name]["cpu_seconds"].append(spent.cpu_seconds)
            if ours:
                found[name]["ours"].append(ours)
        longest = max(longest, time.monotonic() - began)


def _short(one: Mapping[str, Any]) -> str:
    if "failed" in one:
        return f"failed: {one['failed']}"
    if not one["seconds"]:
        return (
            f"first round after {one['first_seconds']:.1f} s ({one['first_cpu_seconds']:.1f} CPU), "
            f"{one['resident']:.0f} MB ({one['proportional']:.0f} PSS), error {one['error']:.1e}"
        )
    walls, cpus = sorted(one["seconds"]), sorted(one["cpu_seconds"])
    middle = len(walls) // 2
    return f"median {walls[middle]:.3f} s, CPU {cpus[middle]:.3f} s, {len(walls)} rounds"


if __name__ == "__main__":
    main()
