"""The loss on the line from the start, or from another run's weights, to the subject's."""

from pathlib import Path
from typing import Any

from data_prep.errors import UserError
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.assembly import TRAIN_SPLIT
from fed_pretrain.experiment.kept_weights import KeptWeights
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.probes import landscape
from fed_pretrain.tasks.global_evaluation import GlobalEvaluation


def measure(subject: Subject) -> dict[str, Any]:
    config, assembly = subject.config, subject.assembly
    if config.other_run is not None:
        other = KeptWeights(Path(config.other_run), assembly.start.names)
        number = other.round_of(config.other_round)
        first, name = other.read(number), f"{config.other_run} after round {number}"
    elif subject.kept is not None:
        first, name = ModelArrays(*assembly.start.weights), "the start"
    else:
        raise UserError("--probes=landscape needs two ends: give --run=DIR (and --other_run=DIR)")
    splits = {}
    for split in (TRAIN_SPLIT, assembly.config.evaluation.eval_split):
        evaluate = GlobalEvaluation(
            assembly.task,
            assembly.start.build_model,
            split,
            max_examples=config.curvature.examples,
            seed=config.curvature.seed,
        )
        splits[split] = landscape.interpolate(first, subject.weights, evaluate, config.points)
    return {
        "first": name,
        "second": subject.place,
        "splits": splits,
        "examples": config.curvature.examples,
        "unit": "mean loss in nats; barrier: rise above the straight line between the ends",
    }
