"""Weights that are loaded anyway begin at zero, and only there."""

import tensorflow as tf

from fed_pretrain.models.zero_start import starting_at_zero


def test_a_layer_draws_no_first_values_inside_and_does_outside() -> None:
    with starting_at_zero():
        inside = tf.keras.layers.Dense(3)
        inside.build([None, 4])
    outside = tf.keras.layers.Dense(3)
    outside.build([None, 4])
    assert inside.kernel.shape == (4, 3)
    assert not inside.kernel.numpy().any()
    assert outside.kernel.numpy().all()


def test_a_given_value_stays() -> None:
    with starting_at_zero():
        assert tf.Variable([2.0, 3.0]).numpy().tolist() == [2.0, 3.0]
