"""Seconds of a study's cell in warm workers: MNIST digits, with probes and files.

    python -m benchmarks.small_runs                    each layout of workers and threads, by model
    python -m benchmarks.small_runs --against=TREE     and the same of another checkout, in turn
    python -m benchmarks.small_runs --smoke            one cell of 2 rounds

A cell is 32 rounds of 10 clients with three probes, as the quickstart has it. A layout is how many
workers run cells side by side, and how many clients each has in flight. Each worker does a cell
before the clock starts. Wall seconds are those of all cells by their number, CPU seconds those of
the workers; medians of the turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import machine, smoke

HERE = Path(__file__).parents[1]
LAYOUTS = ((1, 2), (2, 1), (2, 2))
RUN = (
    "--task=mnist5k",
    "--batch_size=8",
    "--checkpoint_every=100",
    "--notensorboard",
    "--evaluate_every=8",
    "--probes=alignment,distance,misalignment",
    "--client_update=sgd",
    "--server_optimizer=sgd",
    "--client_learning_rate=0.1",
    "--clients_per_round=10",
)


class Cost(NamedTuple):
    """Of a cell."""

    wall: float
    cpu: float


class Worker:
    """A study's worker (pipelines/execution/worker.py) of a checkout."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self._folder = folder
        read_end, write_end = os.pipe()
        command = [sys.executable, "-m", "pipelines.execution.worker"]
        self._process = subprocess.Popen(
            [*command, str(write_end), str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[write_end],
            text=True,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )
        os.close(write_end)
        self._answers = os.fdopen(read_end)

    def begin(self, module: str, arguments: Sequence[str]) -> None:
        request = {"module": module, "arguments": arguments, "log": str(self._folder / "log")}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        answer = json.loads(self._answers.readline() or "{}")
        if answer.get("code") != 0:
            raise SystemExit(f"a cell failed: {answer}; {(self._folder / 'log').read_text()}")

    def cpu_seconds(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(
    tree: Path, dataset: Path, model: str, layout: tuple[int, int], cells: int, rounds: int
) -> Cost:
    """Cells side by side, as many turns of all workers as `cells`, after one that warms them."""
    count, in_flight = layout
    with tempfile.TemporaryDirectory() as text:
        places = [Path(text) / str(number) for number in range(count)]
        for place in places:
            place.mkdir()
        workers = [Worker(tree, place) for place in places]
        given = [*RUN, f"--dataset={dataset}", f"--model={model}", f"--rounds={rounds}"]
        given.append(f"--clients_in_flight={in_flight}")
        began = spent = 0.0
        for cell in range(cells + 1):
            if cell == 1:
                began, spent = time.perf_counter(), sum(w.cpu_seconds() for w in workers)
            for place, worker in zip(places, workers, strict=True):
                own = [f"--workdir={place / str(cell)}", f"--seed={cell}"]
                worker.begin("fed_pretrain.train", [*given, *own])
            for worker in workers:
                worker.end()
        wall = time.perf_counter() - began
        cpu = sum(worker.cpu_seconds() for worker in workers) - spent
        for worker in workers:
            worker.close()
    return Cost(wall / (cells * count), cpu / (cells * count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="edge_cnn,emnist_cnn")
    parser.add_argument("--cells", type=int, default=3, help="of each worker, in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout")
    smoke.add(parser)
    given = parser.parse_args()
    models, layouts, rounds = given.models.split(","), LAYOUTS, 32
    if given.smoke:
        models, layouts, rounds, given.cells, given.turns = ["edge_cnn"], ((1, 1),), 2, 1, 1
    trees = {"here": HERE} | ({"there": given.against} if given.against else {})
    machine.announce()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = _prepared(Path(folder) / "data")
        for model in models:
            for layout in layouts:
                costs: dict[str, list[Cost]] = {name: [] for name in trees}
                for _ in range(given.turns):
                    for name, tree in trees.items():
                        cost = measure(tree, dataset, model, layout, given.cells, rounds)
                        costs[name].append(cost)
                figures |= _report(model, layout, costs)
    if given.smoke:
        smoke.check(figures, count=2)


def _prepared(folder: Path) -> Path:
    arguments = ["--source=mnist5k", "--num_clients=100", "--partition=dirichlet", "--alpha=0.1"]
    arguments += ["--split=by_example", "--split_fractions=0.7,0.1,0.2", f"--output={folder}"]
    command = [sys.executable, "-m", "data_prep.prepare", *arguments]
    subprocess.run(command, check=True, cwd=HERE, capture_output=True)
    return folder


def _report(model: str, layout: tuple[int, int], costs: dict[str, list[Cost]]) -> dict[str, float]:
    label = f"{model}, {layout[0]} x {layout[1]} in flight"
    found = {}
    for name, turns in costs.items():
        for part in Cost._fields:
            found[f"{label}, {name}, {part}"] = statistics.median(getattr(c, part) for c in turns)
    print("\n".join(f"{name:44} {value:7.2f} s a cell" for name, value in found.items()))
    if len(costs) == 2:
        pairs = zip(costs["here"], costs["there"], strict=True)
        ratios = [here.cpu / there.cpu for here, there in pairs]
        print(f"{label}: {statistics.median(ratios):.2f} of the other's CPU seconds", flush=True)
    return found


if __name__ == "__main__":
    main()
