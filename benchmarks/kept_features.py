"""What a round of a head costs with the features of its frozen body computed anew, and kept.

    python -m benchmarks.kept_features --workdir=runs/heads          goes on where it stopped
    python -m benchmarks.kept_features --workdir=runs/heads --page   writes docs/heads.md's table
    python -m benchmarks.kept_features --smoke                       a small CNN

SqueezeNet is given images as small as they are, and of the side it was pre-trained on; MiniLM is
given texts of 16 subwords. The work directory may be that of benchmarks.heads, which has the same
datasets. The same 4 clients with at most 24 examples take part in every round, so that after the
first one all features are kept. Figures are CPU seconds of this process, which hold on a busy
machine, and medians over the rounds after the first.
"""

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import embedded_tasks, machine, smoke
from fed_pretrain.experiment.assembly.run_config import ALWAYS, NEVER, EvaluationConfig
from fed_pretrain.experiment.training.run import train
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tracking.follower import Follower, Row
from groundwork import files
from tools import page_tables

PAGE = page_tables.ROOT / "docs" / "heads.md"
GOAL = 10.0
_LARGE = embedded_tasks.BODIES["large"]
# By name: its task, and what its inputs are.
CASES = {
    "MiniLM": ("plays", TaskOptions(sequence_length=16)),
    "SqueezeNet at 28 pixels": ("mnist5k", TaskOptions()),
    "SqueezeNet at 224 pixels": ("mnist5k", TaskOptions(input_size=224)),
}


class _Clock(Follower):
    """The process' CPU seconds at the end of every round."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def row(self, row: Row) -> None:
        self.times.append(time.process_time())


def cost(
    setting: embedded_tasks.Setting, folder: Path, place: Path, wanted: str, rounds: int
) -> float:
    """Median CPU seconds of a round after the first; the last one evaluates, too."""
    clock = _Clock()
    config = setting.run(
        folder,
        str(place / wanted),
        StartConfig(spec=str(setting.body), head="new", trainable="head"),
        {"rounds": rounds, "clients_per_round": 4, "sampling": "fixed", "feature_cache": wanted},
        EvaluationConfig(evaluate_every=rounds, eval_examples=50),
        algorithm_name="fedavg",
    )
    train(config, followers=[clock])
    spent = [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]
    return statistics.median(spent[1:-1])


def measured(
    name: str, setting: embedded_tasks.Setting, folder: Path, rounds: int
) -> Mapping[str, float]:
    """The seconds of each way, from its file of the folder if it is there."""
    file = folder / f"kept_{name.replace(' ', '_')}.json"
    if not file.exists():
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            found = {way: cost(setting, folder, place, way, rounds) for way in (NEVER, ALWAYS)}
        files.write_json(file, found)
    read: Mapping[str, float] = json.loads(file.read_text())
    return read


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (name, f"{cell[NEVER]:.3f}", f"{cell[ALWAYS]:.3f}", f"{cell[NEVER] / cell[ALWAYS]:.1f}")
        for name, cell in found.items()
    ]
    header = ("model", "CPU seconds of a round anew", "kept", f"times less (goal {GOAL:.0f})")
    return page_tables.markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--workdir", type=Path, default=None)
    parser.add_argument("--cases", default=",".join(CASES), help="some of the models")
    parser.add_argument("--page", action="store_true", help="write the table of docs/heads.md")
    smoke.add(parser)
    arguments = parser.parse_args()
    machine.announce()
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.workdir or Path(temporary)
        if arguments.smoke:
            cell = measured("smoke", embedded_tasks.SMOKE, root, arguments.rounds)
            print(table({"smoke": cell}), flush=True)
            smoke.check(dict(cell), 2)
            return
        for name in arguments.cases.split(","):
            task, options = CASES[name]
            missing = _LARGE[task].missing()
            if missing is not None:
                print(f"{name}: left out; `{missing}` fetches what it needs", flush=True)
                continue
            setting = dataclasses.replace(_LARGE[task], options=options)
            found[name] = measured(name, setting, root / task, arguments.rounds)
    print(table(found), flush=True)
    if arguments.page:
        page_tables.rewrite(PAGE, {"kept_features": lambda: machine.said_above(table(found))})


if __name__ == "__main__":
    main()
