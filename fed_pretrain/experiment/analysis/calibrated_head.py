"""The head of CCVR for the exported model of a finished run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.assembly import calibration
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import shared
from fed_pretrain.exporting import model_files
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.starts.weight_names import named_weights


def of_run(run: Path, which: str, plugins: tuple[str, ...] = ()) -> Mapping[str, np.ndarray]:
    """Tensors by name, from one pass over the run's training clients."""
    given = RunConfig(task="", workdir="", plugins=plugins)
    assembly = assemble(run_analysis.run_config(str(run), given), shared())
    model, _ = model_files.load(run, which)
    held = {weight.name: weight.variable.numpy() for weight in named_weights(model)}
    trainable, frozen = ([held[name] for name in names] for names in assembly.start.names)
    calibrated = calibration.Calibrated(assembly, "--calibrate=ccvr")
    return calibrated(ModelArrays(trainable, frozen)).values
