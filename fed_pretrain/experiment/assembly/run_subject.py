"""What of an assembled run every probe may use."""

import functools
from pathlib import Path
from typing import Any

from fed_pretrain.experiment.assembly import one_pass_head
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.subject import Model, Subject
from groundwork.untyped import Json


def of_start(assembly: Assembly) -> Model:
    """What the run begins with."""
    return Model("start", ModelArrays(*assembly.start.weights), assembly.start.digest)


def run_subject(assembly: Assembly, folder: Path, **after_the_fact: Any) -> Subject:
    """The run's start as the subject; `after_the_fact` replaces and adds fields of Subject."""
    config, start = assembly.config, assembly.start
    model = of_start(assembly)
    common: dict[str, Json] = {
        "task": assembly.task,
        "build_model": start.build_model,
        "names": start.names[0],
        "executor": assembly.executor,
        "seed": config.seed,
        "folder": folder,
        "start": model,
        "model": model,
        "work": assembly.work,
        "client_learning_rate": config.algorithm.client_learning_rate,
        "model_bytes": start.report.trainable_bytes + start.report.frozen_bytes,
        "settings": {type(config.curvature): config.curvature},
        "one_pass": functools.partial(
            one_pass_head.beside_the_start,
            start,
            config,
            assembly.task,
            assembly.executor,
            assembly.session,
        ),
        "eval_split": config.evaluation.eval_split,
        "cached": lambda name, make: assembly.session.compiled((name, assembly.structure), make),
    }
    return Subject(**{**common, **after_the_fact})
