"""The Python interface: what `fed_pretrain.NAME` gives, each loaded when first asked for."""

import importlib
from typing import Any

_HOMES = {
    "AlgorithmConfig": "fed_pretrain.algorithms.algorithm_config",
    "EvaluationConfig": "fed_pretrain.experiment.assembly.run_config",
    "ExecutorOptions": "fed_pretrain.executors.executor_options",
    "LimitConfig": "fed_pretrain.experiment.assembly.run_config",
    "ProbeConfig": "fed_pretrain.experiment.assembly.run_config",
    "RunConfig": "fed_pretrain.experiment.assembly.run_config",
    "RunResult": "fed_pretrain.experiment.training.rounds",
    "SavingConfig": "fed_pretrain.experiment.assembly.run_config",
    "StartConfig": "fed_pretrain.starts.start_config",
    "SystemConfig": "fed_pretrain.clients.uneven_work",
    "TaskOptions": "fed_pretrain.tasks.definition",
    "WorkConfig": "fed_pretrain.experiment.assembly.run_config",
}


def train(config: Any) -> Any:
    """Runs or continues the run of a RunConfig; returns its RunResult."""
    return importlib.import_module("fed_pretrain.experiment.training.rounds").train(config)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
