"""An executor by its options."""

import dataclasses
import importlib

from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from fed_pretrain.executors.known_executors import EXECUTORS, KnownExecutor
from groundwork.errors import UserError


def create(options: ExecutorOptions = DEFAULT) -> Executor:
    """Create it before the first tensor: some settings of TensorFlow cannot change later.

    TFF's default context becomes the executor's, so that nothing starts TFF's own worker.
    """
    known = EXECUTORS.get(options.executor)
    if known is None:
        raise UserError(f"--executor={options.executor}: choose one of {', '.join(EXECUTORS)}")
    _check(known, options)
    executor: Executor = getattr(importlib.import_module(known.module), known.class_name)(options)
    from fed_pretrain.executors import tff_context

    tff_context.install_default(executor)
    return executor


def _check(known: KnownExecutor, options: ExecutorOptions) -> None:
    """Refuses what the executor cannot do before TensorFlow is imported for it."""
    defaults = dataclasses.asdict(DEFAULT)
    for name, reason in known.refuses.items():
        value = getattr(options, name)
        if value != defaults[name]:
            flag = f"--{name}" if value is True else f"--{name}={value}"
            raise UserError(f"{flag}: {reason}")
