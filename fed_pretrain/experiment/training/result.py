"""How a run ended, and what a user wants to know of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.metrics import best_index
from groundwork.stores import mirror
from groundwork.untyped import Json


@dataclasses.dataclass(frozen=True)
class RunResult:
    """`stopped_by` is the signal that asked the run to stop before its end."""

    workdir: Path
    rows: Sequence[Mapping[str, Json]]
    reason: str
    stopped_by: str | None = None

    @property
    def finished(self) -> bool:
        return self.stopped_by is None


def summary(result: RunResult) -> str:
    """What a user wants to know at the end, in a few lines."""
    evaluated = [row for row in result.rows if row.get("eval_accuracy") is not None]
    where = mirror.address(result.workdir)
    lines = [f"{result.reason}: {where}"]
    if evaluated:
        first, last = evaluated[0], evaluated[-1]
        best = evaluated[best_index(evaluated)]
        lines += [
            f"  evaluation accuracy {first['eval_accuracy']:.4f} before training,"
            f" {last['eval_accuracy']:.4f} after round {last['round']},"
            f" best {best['eval_accuracy']:.4f} after round {best['round']}",
            f"  evaluation loss     {_loss(first)} before training, {_loss(last)} at the end",
        ]
    lines += _target_lines(result.workdir) + _privacy_lines(result.workdir)
    sent = sum(row.get("bytes_down", 0) + row.get("bytes_up", 0) for row in result.rows)
    lines.append(f"  {sent / 1e6:,.1f} MB would have been sent")
    lines += _damage_lines(result.workdir)
    lines.append(f"  model: {where}/final.keras, metrics: {where}/metrics.csv")
    return "\n".join(lines)


def _loss(row: Mapping[str, Json]) -> str:
    """Of a model whose loss is beyond all numbers the row has none."""
    return "undefined" if row["eval_loss"] is None else f"{row['eval_loss']:.4f}"


def _target_lines(folder: Path) -> list[str]:
    facts = workdir.success_facts(folder)
    if facts.get("rounds_to_target") is None:
        return []
    return [
        f"  target accuracy {facts['target_accuracy']} reached after round"
        f" {facts['rounds_to_target']} and {facts['bytes_to_target'] / 1e6:,.1f} MB"
    ]


def _privacy_lines(folder: Path) -> list[str]:
    spent = workdir.success_facts(folder).get("privacy")
    if spent is None:
        return []
    epsilon = "unbounded" if spent["epsilon"] is None else f"{spent['epsilon']:.2f}"
    return [
        f"  privacy spent: epsilon {epsilon} at delta {spent['delta']:g},"
        f" for {spent['neighbours']}; {spent['accountant']} (assumptions: config.json)"
    ]


def _damage_lines(folder: Path) -> list[str]:
    facts = workdir.success_facts(folder)
    if not facts.get("damaged_rounds"):
        return []
    rounds = ", ".join(map(str, facts["damaged_rounds"]))
    return [
        f"  best.keras is of round {facts['best_round']}: the better checkpoint of round {rounds}"
        " is damaged"
    ]
