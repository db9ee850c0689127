"""Products of a batch's summed curvature with a vector, by automatic differentiation.

With J the Jacobian of the logits z by the variables, L the summed loss and v the vector:

    hessian       d/dw <dL/dw, v>                reverse over reverse
    gauss_newton  J' (d2L/dz2) J v               (Schraudolph 2002)
    fisher        J' r <r, J v>, r = dL/dz       the empirical Fisher, an outer product a position

J v is d/du <J' u, v>, so all of them need reverse mode only. Forward over reverse gives the same
Hessian product and took a tenth more time on the EMNIST CNN. All is in inference mode (no dropout,
frozen statistics). `variables` may be some of the model's: the product is then that block's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

Product = Callable[
    [Any, tf.keras.Model, Sequence[tf.Variable], Sequence[tf.Tensor], tf.Tensor, tf.Tensor],
    tuple[list[tf.Tensor], Mapping[str, tf.Tensor]],
]
"""`(task, model, variables, vector, x, y) -> (product, task.statistics)`, sums over the batch."""


def hessian(
    task: Any,
    model: tf.keras.Model,
    variables: Sequence[tf.Variable],
    vector: Sequence[tf.Tensor],
    x: tf.Tensor,
    y: tf.Tensor,
) -> tuple[list[tf.Tensor], Mapping[str, tf.Tensor]]:
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            sums = task.statistics(y, model(x, training=False))
        gradients = inner.gradient(sums["loss_sum"], variables, unconnected_gradients="zero")
        slope = inner_product(gradients, vector)
    return outer.gradient(slope, variables, unconnected_gradients="zero"), sums


def gauss_newton(
    task: Any,
    model: tf.keras.Model,
    variables: Sequence[tf.Variable],
    vector: Sequence[tf.Tensor],
    x: tf.Tensor,
    y: tf.Tensor,
) -> tuple[list[tf.Tensor], Mapping[str, tf.Tensor]]:
    logits, moved, pull = _linearised(model, variables, vector, x)
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            sums = task.statistics(y, logits)
        slope = tf.reduce_sum(inner.gradient(sums["loss_sum"], logits) * moved)
    return pull(outer.gradient(slope, logits)), sums


def fisher(
    task: Any,
    model: tf.keras.Model,
    variables: Sequence[tf.Variable],
    vector: Sequence[tf.Tensor],
    x: tf.Tensor,
    y: tf.Tensor,
) -> tuple[list[tf.Tensor], Mapping[str, tf.Tensor]]:
    logits, moved, pull = _linearised(model, variables, vector, x)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sums = task.statistics(y, logits)
    error = tape.gradient(sums["loss_sum"], logits)
    return pull(error * tf.reduce_sum(error * moved, axis=-1, keepdims=True)), sums


BY_KIND: dict[str, Product] = {
    "hessian": hessian,
    "gauss_newton": gauss_newton,
    "fisher": fisher,
}


def _linearised(
    model: tf.keras.Model,
    variables: Sequence[tf.Variable],
    vector: Sequence[tf.Tensor],
    x: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
    """The logits z, J v, and the map u -> J' u."""
    with tf.GradientTape(persistent=True) as forward:
        with tf.GradientTape(persistent=True) as backward:
            logits = model(x, training=False)
        cotangent = tf.zeros_like(logits)
        forward.watch(cotangent)
        pulled = backward.gradient(
            logits, variables, output_gradients=cotangent, unconnected_gradients="zero"
        )
        slope = inner_product(pulled, vector)
    moved = forward.gradient(slope, cotangent)

    def pull(direction: tf.Tensor) -> list[tf.Tensor]:
        found: list[tf.Tensor] = backward.gradient(
            logits, variables, output_gradients=direction, unconnected_gradients="zero"
        )
        return found

    return logits, moved, pull


def inner_product(tensors: Sequence[Any], vector: Sequence[tf.Tensor]) -> tf.Tensor:
    """Over all tensors together; an embedding's sparse gradient counts as the whole one."""
    pairs = zip(tensors, vector, strict=True)
    return tf.add_n([tf.reduce_sum(tf.convert_to_tensor(t) * v) for t, v in pairs])
