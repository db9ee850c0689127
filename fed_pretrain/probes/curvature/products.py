"""Products of a batch's summed curvature with a vector, by automatic differentiation.

With J the Jacobian of the logits z by the variables, L the summed loss and v the vector:

    hessian       d/dw <dL/dw, v>                reverse over reverse
    gauss_newton  J' (d2L/dz2) J v               (Schraudolph 2002)
    fisher        J' r <r, J v>, r = dL/dz       the empirical Fisher, an outer product a position

J v is d/du <J' u, v>, so all of them need reverse mode only. Forward over reverse gives the same
Hessian product and took a tenth more time on the EMNIST CNN. Where the batch's variables are some
of the model's, the product is that block's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from fed_pretrain.probes.client_sums import Batch

Tensors = list[tf.Tensor]
Found = tuple[Tensors, Mapping[str, tf.Tensor]]
"""The product with the batch's vector, and the task's statistics; sums over the batch."""
Product = Callable[[Batch], Found]


def hessian(batch: Batch) -> Found:
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            sums = batch.statistics(batch.logits())
        gradients = inner.gradient(sums["loss_sum"], batch.variables, unconnected_gradients="zero")
        slope = inner_product(gradients, batch.vector)
    return outer.gradient(slope, batch.variables, unconnected_gradients="zero"), sums


def gauss_newton(batch: Batch) -> Found:
    logits, moved, pull = _linearised(batch)
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            sums = batch.statistics(logits)
        slope = tf.reduce_sum(inner.gradient(sums["loss_sum"], logits) * moved)
    return pull(outer.gradient(slope, logits)), sums


def fisher(batch: Batch) -> Found:
    logits, moved, pull = _linearised(batch)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sums = batch.statistics(logits)
    error = tape.gradient(sums["loss_sum"], logits)
    return pull(error * tf.reduce_sum(error * moved, axis=-1, keepdims=True)), sums


BY_KIND: dict[str, Product] = {
    "hessian": hessian,
    "gauss_newton": gauss_newton,
    "fisher": fisher,
}


def _linearised(batch: Batch) -> tuple[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], Tensors]]:
    """The logits z, J v, and the map u -> J' u."""
    variables = batch.variables
    with tf.GradientTape(persistent=True) as forward:
        with tf.GradientTape(persistent=True) as backward:
            logits = batch.logits()
        cotangent = tf.zeros_like(logits)
        forward.watch(cotangent)
        pulled = backward.gradient(
            logits, variables, output_gradients=cotangent, unconnected_gradients="zero"
        )
        slope = inner_product(pulled, batch.vector)
    moved = forward.gradient(slope, cotangent)

    def pull(direction: tf.Tensor) -> Tensors:
        found: Tensors = backward.gradient(
            logits, variables, output_gradients=direction, unconnected_gradients="zero"
        )
        return found

    return logits, moved, pull


def inner_product(tensors: Sequence[Any], vector: Sequence[tf.Tensor]) -> tf.Tensor:
    """Over all tensors together; an embedding's sparse gradient counts as the whole one."""
    pairs = zip(tensors, vector, strict=True)
    return tf.add_n([tf.reduce_sum(tf.convert_to_tensor(t) * v) for t, v in pairs])
