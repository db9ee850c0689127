"""Where should federated training begin?

    import fed_pretrain
    config = fed_pretrain.RunConfig(task="digits", workdir="runs/a", algorithm_name="fedadam")
    result = fed_pretrain.train(config)

The sections of a config (`WorkConfig`, `StartConfig`, ...) are here as well. Each is loaded when
first asked for, so that importing this package costs nothing.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from fed_pretrain.executors.border import estimator
from groundwork import libraries

if TYPE_CHECKING:
    from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig as AlgorithmConfig
    from fed_pretrain.clients.uneven_work import SystemConfig as SystemConfig
    from fed_pretrain.executors.executor_options import ExecutorOptions as ExecutorOptions
    from fed_pretrain.experiment.assembly.run_config import EvaluationConfig as EvaluationConfig
    from fed_pretrain.experiment.assembly.run_config import LimitConfig as LimitConfig
    from fed_pretrain.experiment.assembly.run_config import ProbeConfig as ProbeConfig
    from fed_pretrain.experiment.assembly.run_config import RunConfig as RunConfig
    from fed_pretrain.experiment.assembly.run_config import SavingConfig as SavingConfig
    from fed_pretrain.experiment.assembly.run_config import WorkConfig as WorkConfig
    from fed_pretrain.experiment.training.result import RunResult as RunResult
    from fed_pretrain.starts.start_config import StartConfig as StartConfig
    from fed_pretrain.tasks.definition import TaskOptions as TaskOptions

libraries.prepare()
estimator.provide()

_HOMES = {
    "AlgorithmConfig": "fed_pretrain.algorithms.algorithm_config",
    "EvaluationConfig": "fed_pretrain.experiment.assembly.run_config",
    "ExecutorOptions": "fed_pretrain.executors.executor_options",
    "LimitConfig": "fed_pretrain.experiment.assembly.run_config",
    "ProbeConfig": "fed_pretrain.experiment.assembly.run_config",
    "RunConfig": "fed_pretrain.experiment.assembly.run_config",
    "RunResult": "fed_pretrain.experiment.training.result",
    "SavingConfig": "fed_pretrain.experiment.assembly.run_config",
    "StartConfig": "fed_pretrain.starts.start_config",
    "SystemConfig": "fed_pretrain.clients.uneven_work",
    "TaskOptions": "fed_pretrain.tasks.definition",
    "WorkConfig": "fed_pretrain.experiment.assembly.run_config",
}

__all__ = [*_HOMES, "train"]


def train(config: "RunConfig") -> "RunResult":
    """Runs or continues the run of `config` and returns its rows."""
    run = importlib.import_module("fed_pretrain.experiment.training.run")
    result: RunResult = run.train(config)
    return result


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


class _Package(types.ModuleType):
    """Keeps `fed_pretrain.train` the function: importing a module of that name, the command, would
    put the module in its place."""

    @property
    def train(self) -> Any:
        return train

    @train.setter
    def train(self, module: types.ModuleType) -> None:
        """The command stays in sys.modules, where `python -m` and import_module find it."""


sys.modules[__name__].__class__ = _Package
