"""The weights an analysis looks at, and everything its probes measure them with."""

import functools
from collections.abc import Mapping
from pathlib import Path

from fed_pretrain.experiment.analysis import coming_round
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, OtherRun
from fed_pretrain.experiment.assembly import calibration, round_clients
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.evaluations import Evaluations
from fed_pretrain.experiment.assembly.run_subject import of_start, run_subject
from fed_pretrain.experiment.workdir.checkpoints import KeptWeights
from fed_pretrain.experiment.workdir.metrics import read_rows
from fed_pretrain.models.weights import ModelArrays, Weights
from fed_pretrain.probes.subject import Model, OnClient, Subject
from groundwork import from_json
from groundwork.errors import UserError
from groundwork.untyped import Json


def find(config: AnalyzeConfig, assembly: Assembly, root: Path | None) -> Subject:
    """The start of `config.run`, or what its `run_folder` has kept; `root` is --workdir."""
    options = (assembly.config.curvature, *config.options)
    common: dict[str, Json] = {
        "settings": {type(one): one for one in options},
        "max_clients": config.clients,
    }
    if config.run_folder is None:
        if root is None:
            raise UserError("--workdir is missing")
        model, number, kept = of_start(assembly), 0, None
        folder = root / "probes"
        weights = ModelArrays(*assembly.start.weights)
    else:
        run = Path(config.run_folder)
        kept = KeptWeights(run, assembly.start.names)
        number = kept.round_of(config.round)
        folder = root / "probes" if root is not None else run / "probes" / f"round-{number:06d}"
        weights = kept.read(number)
        model = Model(_name(config.run_folder, number), weights, assembly.start.digest)
        until = [one for one in kept.rounds() if one <= number]
        common["snapshots"] = [(one, functools.partial(kept.read, one)) for one in until]
        common["sent"] = functools.partial(_sent, run, number)
    others = {run.flag: _other(assembly, weights, run) for run in config.others}

    def evaluate(any_weights: Weights, on_client: OnClient | None) -> Mapping[str, Json]:
        arrays = ModelArrays(any_weights.trainable, any_weights.non_trainable)
        return Evaluations(assembly).row(arrays, [], on_client)

    return run_subject(
        assembly,
        folder,
        model=model,
        round_number=number,
        others=others,
        cohort=lambda: round_clients.cohort_of(assembly, number + 1)[: config.clients],
        coming_round=lambda: coming_round.after(assembly, weights, number, kept, config.clients),
        evaluate=evaluate,
        calibration=lambda: functools.partial(
            calibration.Calibrated(assembly, "--probes=ccvr"), weights
        ),
        **common,
    )


def _sent(run: Path, number: int) -> tuple[int, int]:
    """Bytes down and up until the end of a round."""
    until = [row for row in read_rows(run / "metrics.jsonl") if row["round"] <= number]
    return sum(row["bytes_down"] for row in until), sum(row["bytes_up"] for row in until)


def _other(assembly: Assembly, weights: ModelArrays, run: OtherRun) -> Model:
    """Another run's weights; refused when they are of another model."""
    names = assembly.start.names
    folder = Path(run.folder)
    kept = KeptWeights(folder, names, run.flag, run.round_flag)
    number = kept.round_of(run.round)
    found = kept.read(number)
    for name, ours, theirs in zip(names[0], weights.trainable, found.trainable, strict=True):
        if ours.shape != theirs.shape:
            raise UserError(
                f"--{run.flag}={run.folder}: is a run of another model: its {name!r} has the"
                f" shape {list(theirs.shape)}, not {list(ours.shape)}"
            )
    saved = from_json.record(folder / "config.json")
    return Model(_name(run.folder, number), found, saved["start_digest"])


def _name(folder: str, round_number: int) -> str:
    return f"{Path(folder).name}, round {round_number}"
