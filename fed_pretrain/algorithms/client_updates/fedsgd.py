"""The FedSGD client of the authors' code: the batches' mean gradients at x are summed, one step.

Delta_i = eta_c * sum_b grad F_i(x; b) over the batches of the client's order.
"""

from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from fed_pretrain.algorithms.client_updates.local_training import STATISTICS, LocalTraining


class FedSgd(ClientUpdate):
    def work(self, training: LocalTraining, server: Any, client: Any) -> Outcome:
        def body(index: tf.Tensor, total: Any, sums: Any) -> Any:
            gradients, batch = training.gradients(training.payload, index, index)
            total = tuple(t + g for t, g in zip(total, gradients, strict=True))
            return index + 1, total, tuple(s + b for s, b in zip(sums, batch, strict=True))

        zero = tuple(tf.zeros(v.shape, v.dtype) for v in training.variables)
        _, total, sums = tf.while_loop(
            lambda index, total, sums: index < training.steps,
            body,
            (tf.constant(0), zero, tuple(training.statistics.values())),
            parallel_iterations=1,
        )
        training.statistics.update(zip(STATISTICS, sums, strict=True))
        return Outcome([training.learning_rate * t for t in total])
