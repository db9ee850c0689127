"""Where a round's time goes, what probes add, how near its convolutions are, and how it grows.

    python -m benchmarks.round_costs                 all of its part of the page (16 minutes)
    python -m benchmarks.round_costs --only=extras   what probes and TensorBoard add (3 minutes)
    python -m benchmarks.round_costs --only=start    the first seconds (20 seconds)
    python -m benchmarks.round_costs --only=onednn   oneDNN's and TensorFlow's kernels (8 minutes)
    python -m benchmarks.round_costs --page          the page, from the last run's figures
    python -m benchmarks.round_costs --smoke         rounds of two clients

Each measurement is its own process. CPU seconds hold on a busy machine; the laws are made of
them.
"""

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks import machine, smoke
from benchmarks.peers.process import ROOT
from groundwork import files

CASE = "cnn_10"


def main() -> None:
    parser = smoke.parser(__doc__)
    parser.add_argument(
        "--only", choices=("start", "extras", "onednn"), help="measure this part alone"
    )
    parser.add_argument("--turns", type=int, default=30, help="rounds of each run for extras")
    parser.add_argument("--page", action="store_true", help="only write the page, from --output")
    parser.add_argument(
        "--output", type=pathlib.Path, default=ROOT / "runs/benchmarks/round_costs.json"
    )
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        _measure(*options.measure)
    elif options.smoke:
        shares = call("kernels.measure", "smoke")["shares"]
        largest = sorted(shares, key=shares.__getitem__)[-3:]
        spent = call("extras.measure", 1, 2, 20)
        figures = {kind: shares[kind] for kind in largest}
        smoke.check(figures | {name: cost[0][0] for name, cost in spent.items()}, count=9)
    else:
        if not options.page:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            _measure_all(options.output, options.only, options.turns)
        from benchmarks.rounds import page

        page.write(json.loads(options.output.read_text()))


def _measure_all(output: pathlib.Path, only: str | None, turns: int) -> None:
    """Written after each part, so that an interrupted run loses one."""
    from benchmarks.rounds import growth, onednn

    machine.announce()
    made = machine.circumstances()
    parts = {
        "start": lambda: {"made": made, "parts": call("start.measure", CASE)},
        "extras": lambda: {"made": made, "spent": call("extras.measure", turns)},
        "onednn": lambda: {"made": made, "turns": [_both_kernels() for _ in range(onednn.TURNS)]},
        "kernels": lambda: call("kernels.measure", CASE),
        "convolutions": lambda: call("convolutions.measure", CASE),
        "cnn": lambda: call("growth.measure_cnn"),
        "widths": lambda: [call("growth.measure_width", width) for width in growth.WIDTHS],
        "cores": lambda: [call("growth.measure_cores", cores) for cores in growth.CORES],
    }
    found: dict[str, Any] = dict(made)
    if only:
        # Beside the last run's figures of the rest, where there are any.
        found = json.loads(output.read_text()) if output.exists() else {}
        parts = {only: parts[only]}
    for name, part in parts.items():
        found[name] = part()
        files.write_json(output, found)


def _both_kernels() -> dict[str, dict[str, Any]]:
    from benchmarks.rounds import onednn

    return {
        case: {setting: call("onednn.measure", case, setting) for setting in onednn.SETTINGS}
        for case in onednn.CASES
    }


def call(function: str, *arguments: Any) -> Any:
    """`module.function` of benchmarks.rounds in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        answer = pathlib.Path(folder) / "answer.json"
        command = [sys.executable, "-m", "benchmarks.round_costs", "--measure", function]
        subprocess.run([*command, json.dumps(arguments), str(answer)], cwd=ROOT, check=True)
        found = json.loads(answer.read_text())
    print(f"{function} {arguments}: done", flush=True)
    return found


def _measure(function: str, arguments: str, answer: str) -> None:
    module, name = function.split(".")
    found = getattr(importlib.import_module(f"benchmarks.rounds.{module}"), name)
    pathlib.Path(answer).write_text(json.dumps(found(*json.loads(arguments))))


if __name__ == "__main__":
    main()
