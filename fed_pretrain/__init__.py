"""Where should federated training begin?

    import fed_pretrain as fp

    clients = fp.clients({"ann": (x, y), "ben": (x2, y2)}, test=0.2)
    run = fp.train(clients, model=my_keras_model, algorithm="fedadam", rounds=30)
    run.frame(), run.model

The configs behind it (`RunConfig`, `WorkConfig`, `StartConfig`, ...) are here as well. Each name is
loaded when first asked for, so that importing this package costs nothing.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

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
    from fed_pretrain.notebook.algorithms import Algorithm as Algorithm
    from fed_pretrain.notebook.algorithms import algorithm as algorithm
    from fed_pretrain.notebook.argument_errors import ArgumentError as ArgumentError
    from fed_pretrain.notebook.clients import Clients as Clients
    from fed_pretrain.notebook.clients import clients as clients
    from fed_pretrain.notebook.processes import learning_process as learning_process
    from fed_pretrain.notebook.run import TrainedRun as TrainedRun
    from fed_pretrain.notebook.run import train as train
    from fed_pretrain.notebook.starts import Start as Start
    from fed_pretrain.notebook.starts import start as start
    from fed_pretrain.notebook.study import Comparison as Comparison
    from fed_pretrain.notebook.study import compare as compare
    from fed_pretrain.starts.start_config import StartConfig as StartConfig
    from fed_pretrain.tasks.definition import TaskOptions as TaskOptions

libraries.prepare()

_HOMES = {
    "Algorithm": "fed_pretrain.notebook.algorithms",
    "ArgumentError": "fed_pretrain.notebook.argument_errors",
    "Comparison": "fed_pretrain.notebook.study",
    "Clients": "fed_pretrain.notebook.clients",
    "Start": "fed_pretrain.notebook.starts",
    "TrainedRun": "fed_pretrain.notebook.run",
    "algorithm": "fed_pretrain.notebook.algorithms",
    "compare": "fed_pretrain.notebook.study",
    "clients": "fed_pretrain.notebook.clients",
    "learning_process": "fed_pretrain.notebook.processes",
    "start": "fed_pretrain.notebook.starts",
    "train": "fed_pretrain.notebook.run",
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

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


class _Package(types.ModuleType):
    """Keeps `fed_pretrain.train` and `fed_pretrain.clients` the functions: importing the modules of
    these names would put them in their places. They stay in sys.modules, where `python -m` and
    import statements find them."""

    @property
    def train(self) -> Any:
        return __getattr__("train")

    @train.setter
    def train(self, module: types.ModuleType) -> None:
        """The command."""

    @property
    def clients(self) -> Any:
        return __getattr__("clients")

    @clients.setter
    def clients(self, module: types.ModuleType) -> None:
        """The room."""


sys.modules[__name__].__class__ = _Package
