"""How fast and how large the `device` executor is, beside stock TFF and the best bare loop.

    python -m benchmarks.executors                      everything; about 12 minutes on two cores
    python -m benchmarks.executors --sections=speed --models=cnn --cohorts=10
    python -m benchmarks.executors --sections=growth    only the figure
    python -m benchmarks.executors --smoke              two clients of the smallest model

speed        the bound (a hand-written tf.function loop), `device` and stock TFF in turn in one
             process, from the same weights, on the same rows in the same order; a ratio is printed
             only if the weights after three rounds agree (rounds/agreement.py)
memory       500 clients of the CNN
first_round  from the start of the process, by part
growth       time and memory against clients, model size and clients in flight

Results go to --output: executors.json, and growth.csv, .png and .svg.
"""

import argparse
import csv
import io
import os
import pathlib
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import machine, smoke
from benchmarks.rounds import child, first_round, growth, size, speed
from benchmarks.rounds.contestant import IN_FLIGHT
from groundwork import files

MODELS = ("cnn", "softmax", "char_lstm")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--models", default=",".join(MODELS), help="of the section speed")
    parser.add_argument("--cohorts", default="10,50", help="clients a round of the cnn in speed")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds of each contestant")
    parser.add_argument("--output", type=pathlib.Path, default="runs/benchmarks")
    smoke.add(parser)
    options = parser.parse_args()
    machine.announce()
    if options.smoke:
        _smoke()
        return
    options.output.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = machine.describe()
    for name in options.sections.split(","):
        result[name] = SECTIONS[name](options)
        files.write_json(options.output / "executors.json", result)


def _smoke() -> None:
    speeds = child.call("speed.measure", model="softmax", cohort=2, repeats=1).result
    speed.print_found(speeds)
    point = size.point("softmax", 2, 2, 1)
    size.print_point(point)
    figures = {name: times[0] for name, times in speeds["seconds"].items()}
    figures |= {name: point[name] for name in ("seconds", "peak_megabytes")}
    smoke.check(figures, count=5)


def _speed(options: argparse.Namespace) -> list[Any]:
    cells = [
        (model, cohort)
        for model in options.models.split(",")
        for cohort in map(int, options.cohorts.split(",") if model == "cnn" else ["10"])
    ]
    found = []
    for model, cohort in cells:
        arguments = {"model": model, "cohort": cohort, "repeats": options.repeats}
        found.append(child.call("speed.measure", **arguments).result)
        speed.print_found(found[-1])
    return found


def _memory(options: argparse.Namespace) -> Any:
    print(f"\nmemory of the process tree (goal <= {size.GOAL_MEGABYTES} MB)")
    found = size.point("cnn", size.GOAL_CLIENTS, IN_FLIGHT, 1)
    size.print_point(found)
    return found


def _first_round(options: argparse.Namespace) -> Any:
    found = first_round.run()
    first_round.print_found(found)
    return found


def _growth(options: argparse.Namespace) -> list[Any]:
    print("\ngrowth, each line a process of its own")
    found = []
    for point in growth.points():
        size.print_point(point)
        found.append(point)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    files.write_text(options.output / "growth.csv", table.getvalue())
    draw(found, options.output)
    return found


def draw(points: list[Any], folder: pathlib.Path) -> None:
    from benchmarks.rounds import growth_figure

    growth_figure.draw(points).savefig(folder / "growth.png", dpi=160)
    print(f"  drawn: {folder / 'growth.png'}")


SECTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "speed": _speed,
    "memory": _memory,
    "first_round": _first_round,
    "growth": _growth,
}


if __name__ == "__main__":
    main()
