"""The optimizer of central pre-training is the one that was asked for."""

import pytest
import tensorflow as tf

from fed_pretrain.pretraining import central_step


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_decays_by_what_was_given_and_by_nothing_otherwise(decay: float) -> None:
    optimizer = central_step._optimizer("adamw", decay)
    weight = tf.Variable([2.0])
    optimizer.build([weight])
    optimizer.learning_rate.assign(0.5)
    optimizer.apply_gradients([(tf.constant([0.0]), weight)])
    assert float(weight[0]) == pytest.approx(2.0 * (1.0 - 0.5 * decay))
