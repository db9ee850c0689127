"""The Python interface: what `fed_pretrain.NAME` gives, each loaded when first asked for."""

import importlib
from typing import Any

_HOMES = {
    "AlgorithmConfig": "fed_pretrain.algorithms.config",
    "EvaluationConfig": "fed_pretrain.experiment.config",
    "ExecutorOptions": "fed_pretrain.executors.options",
    "LimitConfig": "fed_pretrain.experiment.config",
    "ProbeConfig": "fed_pretrain.experiment.config",
    "RunConfig": "fed_pretrain.experiment.config",
    "RunResult": "fed_pretrain.experiment.train",
    "SavingConfig": "fed_pretrain.experiment.config",
    "StartConfig": "fed_pretrain.starts.config",
    "SystemConfig": "fed_pretrain.algorithms.system",
    "TaskOptions": "fed_pretrain.tasks.options",
    "WorkConfig": "fed_pretrain.experiment.config",
}


def train(config: Any) -> Any:
    """Runs or continues the run of a RunConfig; returns its RunResult."""
    return importlib.import_module("fed_pretrain.experiment.train").train(config)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
