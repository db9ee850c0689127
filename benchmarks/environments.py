"""This environment beside another, such as one of an older lock: imports and rounds, in turn.

    python -m benchmarks.environments --other=PYTHON    and its table in docs/accelerators.md
    python -m benchmarks.environments --smoke           this one beside itself, one pair

Both run this checkout's code, each measurement in a process of its own, by turns (a b, b a, ...).
CPU seconds (user and system, of all threads) hold on a busy machine; a ratio is this environment's
by the other's in the same pair, and the table has the median of the pairs with their range.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, smoke
from benchmarks.peers.cases import CASES, Case
from groundwork import libraries

ROOT = Path(__file__).parents[1]
# By name: what it is, and the rounds of a process; the first, which compiles, is not counted.
WORK: Mapping[str, tuple[str, Case, int]] = {
    "digits": (
        "32 hidden units on digits, 10 clients of 50 rows",
        Case("perceptron_32", 10, 50),
        25,
    ),
    "emnist_cnn": (CASES["cnn_10"].title, CASES["cnn_10"], 5),
}
PAIRS = 7
Found = Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--other", help="the other environment's Python")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    smoke.add(parser)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
    elif options.smoke:
        pairs = paired(sys.executable, ["digits"], 1)
        smoke.check({name: ratio for name, [ratio] in ratios(pairs["digits"]).items()}, count=2)
    elif not options.other:
        parser.error("name the other environment's Python by --other")
    else:
        _compare(options.other, options.pairs)


def _compare(other: str, count: int) -> None:
    from benchmarks.peers.page import circumstances
    from tools import page_tables

    made = machine.circumstances()
    machine.announce()
    found = {name: ratios(pairs) for name, pairs in paired(other, list(WORK), count).items()}
    versions = f"TensorFlow {_version(sys.executable)} against {_version(other)}"
    imports = [ratio for one in found.values() for ratio in one["import"]]
    rows = [("import of TensorFlow Federated", *_cells(imports))]
    for name, one in found.items():
        rows.append((f"a round: {WORK[name][0]}", *_cells(one["round"])))
    header = ("CPU seconds, this environment's by the other's", "median", "least", "most", "pairs")
    blocks = {
        "environments": lambda: page_tables.markdown(header, rows),
        "environments_made": lambda: f"{versions}. {circumstances(made)}",
    }
    page_tables.rewrite(page_tables.ROOT / "docs" / "accelerators.md", blocks)


def _cells(values: Sequence[float]) -> tuple[str, ...]:
    numbers = statistics.median(values), min(values), max(values)
    return (*(f"{number:.2f}" for number in numbers), str(len(values)))


def paired(other: str, names: Sequence[str], count: int) -> dict[str, list[tuple[Found, Found]]]:
    """(other, this) of each pair, by name."""
    found: dict[str, list[tuple[Found, Found]]] = {name: [] for name in names}
    for number in range(count):
        for name, pairs in found.items():
            order = (other, sys.executable) if number % 2 else (sys.executable, other)
            both = {python: _child(python, name) for python in order}
            pairs.append((both[other], both[sys.executable]))
            print(name, *pairs[-1], flush=True)
    return found


def ratios(pairs: Sequence[tuple[Found, Found]]) -> dict[str, list[float]]:
    return {part: [this[part] / other[part] for other, this in pairs] for part in pairs[0][0]}


def _child(python: str, name: str) -> Found:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-m", "benchmarks.environments", "--measure", name]
    told = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
    found: Found = json.loads(told.splitlines()[-1])
    return found


def _version(python: str) -> str:
    asked = "import importlib.metadata as m; print(m.version('tensorflow'))"
    return subprocess.check_output([python, "-c", asked], text=True).strip()


def measure(name: str) -> dict[str, Any]:
    """CPU seconds of an import, and of a round (the median)."""
    libraries.prepare()
    import tensorflow_federated  # noqa: F401

    found = {"import": _spent()}
    from benchmarks.peers import cases
    from benchmarks.rounds.ours import Ours

    _, case, rounds = WORK[name]
    ours = Ours(case.model, cases.clients(case), case.batch, case.rate)
    spent = []
    for _ in range(rounds):
        began = _spent()
        ours.round()
        spent.append(_spent() - began)
    return found | {"round": statistics.median(spent[1:])}


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
