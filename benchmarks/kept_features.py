"""What a round of a head costs with the features of its frozen body computed anew, and kept.

    python -m benchmarks.kept_features --workdir=runs/heads          SqueezeNet and MiniLM
    python -m benchmarks.kept_features --workdir=runs/heads --page   writes docs/heads.md's table
    python -m benchmarks.kept_features --smoke                       a small CNN

The work directory keeps the datasets; it may be that of benchmarks.heads, which has the same.
The same clients take part in every round, so that after the first one all features are kept.
Figures are medians of the rounds after it, in wall seconds and in CPU seconds of this process: the
latter hold on a busy machine, too.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import embedded_tasks, machine, smoke
from fed_pretrain.experiment.assembly.run_config import ALWAYS, NEVER, EvaluationConfig
from fed_pretrain.experiment.training.run import train
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tracking.follower import Follower, Row
from tools import page_tables

PAGE = page_tables.ROOT / "docs" / "heads.md"
GOAL = 10.0
_TASKS = ("plays", "mnist5k")


class _Clock(Follower):
    """The process' CPU seconds at the end of every round."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def row(self, row: Row) -> None:
        self.times.append(time.process_time())


def cost(
    setting: embedded_tasks.Setting, folder: Path, place: Path, wanted: str, rounds: int
) -> tuple[float, float]:
    """Median wall and CPU seconds of a round after the first; the last one evaluates, too."""
    clock = _Clock()
    config = setting.run(
        folder,
        str(place / wanted),
        StartConfig(spec=str(setting.body), head="new", trainable="head"),
        {"rounds": rounds, "clients_per_round": 4, "sampling": "fixed", "feature_cache": wanted},
        EvaluationConfig(evaluate_every=rounds, eval_examples=50),
        algorithm_name="fedavg",
    )
    rows = train(config, followers=[clock]).rows
    wall = [row["seconds"] for row in rows[2:-1]]
    spent = [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]
    return statistics.median(wall), statistics.median(spent[:-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--subwords", type=int, default=16, help="of a text, for MiniLM")
    parser.add_argument("--workdir", type=Path, default=None, help="of the datasets")
    parser.add_argument("--page", action="store_true", help="write the table of docs/heads.md")
    smoke.add(parser)
    arguments = parser.parse_args()
    machine.announce()
    large = embedded_tasks.BODIES["large"]
    asked = {"smoke": embedded_tasks.SMOKE} if arguments.smoke else {n: large[n] for n in _TASKS}
    figures, rows = {}, []
    for name, setting in asked.items():
        missing = setting.missing()
        if missing is not None:
            print(f"{name}: left out; `{missing}` fetches what it needs")
            continue
        model = setting.model
        if setting.task == "text_classification":
            options = TaskOptions(sequence_length=arguments.subwords)
            setting = dataclasses.replace(setting, options=options)
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.workdir or Path(temporary)) / name
            found = {
                wanted: cost(setting, folder, Path(temporary), wanted, arguments.rounds)
                for wanted in (NEVER, ALWAYS)
            }
        for kind, (before, after) in zip(
            ("wall", "CPU"), zip(found[NEVER], found[ALWAYS], strict=True), strict=True
        ):
            figures[f"{model} {kind}"] = before / after
            rows.append((model, kind, f"{before:.3f}", f"{after:.3f}", f"{before / after:.1f}"))
    header = ("model", "seconds of a round", "anew", "kept", f"times less (goal {GOAL:.0f})")
    table = page_tables.markdown(header, rows)
    print(table, flush=True)
    if arguments.smoke:
        smoke.check(figures, 2)
    if arguments.page:
        page_tables.rewrite(PAGE, {"kept_features": lambda: machine.said_above(table)})


if __name__ == "__main__":
    main()
