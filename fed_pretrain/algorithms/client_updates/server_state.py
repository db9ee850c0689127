"""The server's optimizer used by clients, its state fixed during local work (MimeLite, Mime)."""

import collections
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates.client_update import Specs, Tensors
from fed_pretrain.algorithms.client_updates.local_training import Gradients, LocalTraining


def at_rate(state: Any, learning_rate: tf.Tensor) -> Any:
    """The optimizer's state with the client's learning rate in it."""
    own = collections.OrderedDict(state)
    own["learning_rate"] = learning_rate
    return own


def step(optimizer: Any, state: Any, training: LocalTraining, gradients: Gradients) -> None:
    """Moves the variables by one step; the state it would have moved to is dropped."""
    weights = [tf.convert_to_tensor(v) for v in training.variables]
    _, moved = optimizer.next(state, weights, [tf.convert_to_tensor(g) for g in gradients])
    for variable, value in zip(training.variables, moved, strict=True):
        variable.assign(value)


def advanced(optimizer: Any, state: Any, gradient: Tensors, specs: Specs) -> Any:
    """The state after the cohort's mean gradient; weights play no part in it."""
    nothing = [tf.zeros(s.shape, s.dtype) for s in specs]
    return optimizer.next(state, nothing, gradient)[0]


def weighted_mean(gradient: Tensors, weight: tf.Tensor) -> Tensors:
    return [tf.math.divide_no_nan(g, weight) for g in gradient]
