"""The end of a run: its invariants checked, its probes' files, its models, and SUCCESS last."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_prep.errors import UserError
from fed_pretrain.experiment import export, workdir
from fed_pretrain.experiment.assembly import Assembly
from fed_pretrain.experiment.class_names import class_names
from fed_pretrain.experiment.metrics import MetricsWriter
from fed_pretrain.experiment.run_probes import RunProbes
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.experiment.stopping import best_round

TRUSTED = ("config.json", "start.json", "metrics.jsonl", "metrics.csv")


def finish(
    folder: Path,
    assembly: Assembly,
    metrics: MetricsWriter,
    probes: RunProbes,
    snapshot: Callable[[int], ModelArrays],
    kept_rounds: list[int],
    facts: dict[str, Any],
) -> None:
    """`snapshot` gives the weights after a round whose checkpoint is kept."""
    last_round = int(metrics.rows[-1]["round"])
    final = snapshot(last_round)
    check_frozen(assembly, final)
    probes.at_end(last_round, final)
    best = best_round(metrics.rows, kept_rounds)
    labels = class_names(assembly.task)
    export.save_weights_as_keras(assembly.start, final, labels, folder / "final.keras")
    export.save_weights_as_keras(assembly.start, snapshot(best), labels, folder / "best.keras")
    checkpoint = f"checkpoints/round-{last_round:06d}.ckpt"
    names = [*TRUSTED, checkpoint, "final.keras", "best.keras"]
    names += [f"probes/{path.name}" for path in (folder / "probes").glob("*.json*")]
    workdir.write_success(
        folder,
        workdir.flags_digest(assembly.given),
        names,
        {**facts, "rounds": last_round, "best_round": best},
    )


def check_frozen(assembly: Assembly, model: ModelArrays) -> None:
    """A promise, checked and not assumed: what was frozen has not changed by one bit."""
    changed = assembly.start.changed_frozen(model.non_trainable)
    if changed:
        raise UserError(
            f"the frozen tensor {changed[0]!r} has changed during the run (with"
            f" {len(changed) - 1} others): this is a fault of the program, please report it"
        )
