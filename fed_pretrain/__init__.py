"""Where should federated training begin?

    import fed_pretrain as fp

    clients = fp.clients({"ann": (x, y), "ben": (x2, y2)}, test=0.2)
    run = fp.train(clients, model=my_keras_model, algorithm="fedadam", rounds=30)
    run.frame(), run.model

The configs behind it (`RunConfig`, `WorkConfig`, `StartConfig`, ...) are here as well. Each name is
loaded when first asked for, so that importing this package costs nothing.
"""

import sys
import types
from typing import TYPE_CHECKING, Any

from groundwork import late_imports, libraries

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

_NAMES = {
    "notebook.algorithms": ("Algorithm", "algorithm"),
    "notebook.argument_errors": ("ArgumentError",),
    "notebook.study": ("Comparison", "compare"),
    "notebook.clients": ("Clients", "clients"),
    "notebook.starts": ("Start", "start"),
    "notebook.run": ("TrainedRun", "train"),
    "notebook.processes": ("learning_process",),
    "algorithms.algorithm_config": ("AlgorithmConfig",),
    "experiment.assembly.run_config": (
        "EvaluationConfig",
        "LimitConfig",
        "ProbeConfig",
        "RunConfig",
        "SavingConfig",
        "WorkConfig",
    ),
    "executors.executor_options": ("ExecutorOptions",),
    "experiment.training.result": ("RunResult",),
    "starts.start_config": ("StartConfig",),
    "clients.uneven_work": ("SystemConfig",),
    "tasks.definition": ("TaskOptions",),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [*_HOMES]


__getattr__ = late_imports.names_from(__name__, _HOMES)


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
