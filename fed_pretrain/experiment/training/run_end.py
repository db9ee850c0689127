"""The end of a run: its invariants checked, its probes' files, its models, and SUCCESS last."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.training.run_probes import RunProbes
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.metrics import MetricsWriter, best_round
from fed_pretrain.exporting import model_files
from fed_pretrain.exporting.model_files import class_names
from fed_pretrain.models.weights import ModelArrays
from groundwork import files
from groundwork.errors import UserError
from groundwork.untyped import Json

TRUSTED = ("config.json", "start.json", "metrics.jsonl", "metrics.csv")


@dataclasses.dataclass(frozen=True)
class Best:
    """The weights of the best round whose checkpoint can be read; `damaged` are better rounds."""

    round_number: int
    weights: ModelArrays
    damaged: list[int]


def finish(
    folder: Path,
    assembly: Assembly,
    metrics: MetricsWriter,
    probes: RunProbes,
    snapshot: Callable[[int], ModelArrays],
    kept_rounds: list[int],
    facts: dict[str, Json],
) -> None:
    """`snapshot` gives the weights after a round whose checkpoint is kept."""
    last_round = int(metrics.rows[-1]["round"])
    final = snapshot(last_round)
    check_frozen(assembly, final)
    probes.at_end(last_round, final)
    best = readable_best(metrics.rows, kept_rounds, Best(last_round, final, []), snapshot)
    start, labels = assembly.start, class_names(assembly.task)
    keras_files = assembly.session.compiled(
        ("keras files", assembly.structure, repr((labels, start.facts))),
        lambda: model_files.KerasFiles(
            start.build_model, labels, start.facts, start.build_model.lora
        ),
    )
    keras_files.write(final, folder / "final.keras")
    if best.round_number == last_round:
        files.write_bytes(folder / "best.keras", (folder / "final.keras").read_bytes())
    else:
        keras_files.write(best.weights, folder / "best.keras")
    checkpoint = f"checkpoints/round-{last_round:06d}.ckpt"
    names = [*TRUSTED, checkpoint, "final.keras", "best.keras"]
    names += [f"probes/{path.name}" for path in (folder / "probes").glob("*.json*")]
    workdir.write_success(
        folder,
        workdir.flags_digest(assembly.given),
        names,
        {**facts, "rounds": last_round, "best_round": best.round_number}
        | ({"damaged_rounds": best.damaged} if best.damaged else {}),
    )


def small_files(folder: Path) -> list[Path]:
    """What a finished run says of itself, without its weights."""
    probes = sorted((folder / "probes").glob("*.json")) + sorted((folder / "probes").glob("*.png"))
    return [*(folder / name for name in (*TRUSTED, workdir.SUCCESS)), *probes]


def readable_best(
    rows: Sequence[Mapping[str, Json]],
    kept_rounds: Iterable[int],
    final: Best,
    snapshot: Callable[[int], ModelArrays],
) -> Best:
    """A checkpoint that was damaged on the disk takes its own weights, not the end of the run.

    `final` is the last round, whose weights were read.
    """
    evaluated = {int(row["round"]) for row in rows if row.get("eval_accuracy") is not None}
    left = evaluated & set(kept_rounds)
    damaged: list[int] = []
    while left:
        number = best_round(rows, left)
        if number == final.round_number:
            return dataclasses.replace(final, damaged=damaged)
        try:
            return Best(number, snapshot(number), damaged)
        except UserError as error:
            print(f"warning: {error}; best.keras will be of the next best round", file=sys.stderr)
            left.discard(number)
            damaged.append(number)
    return dataclasses.replace(final, damaged=damaged)


def check_frozen(assembly: Assembly, model: ModelArrays) -> None:
    """A promise, checked and not assumed: what was frozen has not changed by one bit."""
    changed = assembly.start.changed_frozen(model.non_trainable)
    if changed:
        raise UserError(
            f"the frozen tensor {changed[0]!r} has changed during the run (with"
            f" {len(changed) - 1} others): this is a fault of the program, please report it"
        )
