"""A loss of the user's: a task of the same kind of labels, known to this process."""

import dataclasses
import functools
import hashlib
import types
from collections.abc import Callable
from typing import TYPE_CHECKING

from fed_pretrain.notebook.argument_errors import ArgumentError
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import OpenTask, TaskDefinition

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.tasks.objective import Objective

Loss = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]


def task_with(task: str, loss: Loss | None) -> str:
    """The name of the task; with a loss, of one that is registered for it here."""
    if loss is None:
        return task
    function = getattr(loss, "call", loss)  # Of a Keras Loss: what it gives for each example.
    if not callable(function):
        raise ArgumentError(
            f"loss is a {type(loss).__name__}; a function of (y, outputs) that gives a number for"
            " each example is wanted"
        )
    usual = known_tasks.get(task)
    name = f"{task}-{getattr(loss, '__name__', type(loss).__name__)}-{_digest(function)}"
    if name not in known_tasks.names():
        objective = functools.partial(_objective, usual, function)
        known_tasks.register(
            dataclasses.replace(usual, name=name, objective=objective, of_logits=False)
        )
    return name


def _objective(usual: TaskDefinition, function: Loss, task: OpenTask) -> "Objective":
    from fed_pretrain.tasks.further_objectives import WithOwnLoss
    from fed_pretrain.tasks.objective import CrossEntropy

    if usual.objective is not None:
        return WithOwnLoss(function, usual.objective(task))
    encoder = task.encoder
    return WithOwnLoss(function, CrossEntropy(encoder.unscored, encoder.y_shape != ()))


def _digest(function: Callable[..., object]) -> str:
    """The same for a cell that is run again; another for another code or other values in it."""
    state = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, types.CodeType):
            state.update(value.co_code)
            for part in (*value.co_consts, *value.co_names):
                add(part)
        else:
            state.update(repr(value).encode())

    bare = getattr(function, "__func__", function)
    add(getattr(bare, "__code__", type(function).__qualname__))
    for cell in getattr(bare, "__closure__", None) or ():
        add(cell.cell_contents)
    if hasattr(function, "__self__"):
        add(sorted(vars(function.__self__).items(), key=str))
    return state.hexdigest()[:8]
