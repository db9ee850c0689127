"""Where should federated training begin?

    import fed_pretrain
    config = fed_pretrain.RunConfig(task="digits", workdir="runs/a", algorithm_name="fedadam")
    result = fed_pretrain.train(config)

The sections of a config (`WorkConfig`, `StartConfig`, ...) stand here as well. They are loaded when
first asked for, so that importing this package costs nothing.
"""

import importlib
import os
from typing import Any

# TensorFlow keeps a module's dicts in wrapt proxies, whose C version refuses the look-ups that
# typing_extensions makes since 4.6: saving a dict fails with "this __dict__ descriptor does not
# support '_DictWrapper' objects". wrapt's Python version works, if chosen before the import.
os.environ.setdefault("WRAPT_DISABLE_EXTENSIONS", "1")

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
__all__ = sorted([*_HOMES, "train"])


def train(config: Any) -> Any:
    """Runs or continues the run of a RunConfig; returns its RunResult.

    The binary `fed_pretrain.train` has the same name: a process that imports that module as well
    calls `fed_pretrain.experiment.train.train`.
    """
    return importlib.import_module("fed_pretrain.experiment.train").train(config)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
