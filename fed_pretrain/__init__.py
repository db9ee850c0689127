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
# TFF's worker is started by a fork, in whose child gRPC's handlers were seen to crash.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


__all__ = [
    "AlgorithmConfig",
    "EvaluationConfig",
    "ExecutorOptions",
    "LimitConfig",
    "ProbeConfig",
    "RunConfig",
    "RunResult",
    "SavingConfig",
    "StartConfig",
    "SystemConfig",
    "TaskOptions",
    "WorkConfig",
    "train",
]


def train(config: Any) -> Any:
    """Runs or continues the run of a RunConfig; returns its RunResult.

    The binary `fed_pretrain.train` has the same name: a process that imports that module as well
    calls `fed_pretrain.experiment.training.rounds.train`.
    """
    return _api().train(config)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_api(), name)


def _api() -> Any:
    # By a relative name: every module needs this one, so this one must need none to be built.
    return importlib.import_module(".api", __name__)
