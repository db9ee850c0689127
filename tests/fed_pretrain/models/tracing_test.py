"""AutoGraph is used where a function asks for it, and nowhere else."""

import inspect
from typing import ClassVar

import pytest
import tensorflow as tf

from fed_pretrain.models.tracing import Traced, unconverted


def _branches(x: tf.Tensor) -> tf.Tensor:
    if tf.reduce_sum(x) > 0.0:
        return x
    total = tf.zeros([])
    for value in x:
        total += value
    return tf.stack([total, total])


@pytest.mark.parametrize(
    ("given", "expected"), [([1.0, 2.0], [1.0, 2.0]), ([-1.0, -2.0], [-3.0, -3.0])]
)
def test_a_function_that_says_if_and_for_of_a_tensor_works(given, expected):
    assert Traced(_branches)(tf.constant(given)).numpy().tolist() == expected


def test_it_works_inside_a_trace_and_as_a_concrete_function_too():
    inner = Traced(_branches)
    outer = Traced(lambda x: inner(x) + 1.0)
    assert outer(tf.constant([-1.0, -2.0])).numpy().tolist() == [-2.0, -2.0]
    concrete = Traced(_branches).get_concrete_function(tf.TensorSpec([2], tf.float32))
    assert concrete(tf.constant([-1.0, -2.0])).numpy().tolist() == [-3.0, -3.0]


def test_a_function_without_them_is_traced_as_it_is_written():
    files = []

    @Traced
    def doubled(x):
        files.append(inspect.currentframe().f_code.co_filename)
        return 2.0 * x

    assert float(doubled(tf.constant(3.0))) == 6.0
    assert files == [__file__]


def test_another_mistake_in_a_trace_is_reported_as_it_is():
    with pytest.raises(ValueError, match="of the user's"):
        Traced(_refuses)(tf.constant(1.0))


def _refuses(x: tf.Tensor) -> tf.Tensor:
    raise ValueError("of the user's")


class _OfOne(tf.keras.layers.Layer):
    files: ClassVar[list[str]] = []

    def call(self, x):
        self.files.append(inspect.currentframe().f_code.co_filename)
        return 2.0 * x


class _OfSigns(tf.keras.layers.Layer):
    def call(self, x):
        if tf.reduce_sum(x) > 0.0:
            return x
        return -x


@unconverted
def _model(layer: tf.keras.layers.Layer) -> tf.keras.Model:
    inputs = tf.keras.Input((2,))
    return tf.keras.Model(inputs, layer(inputs))


def test_a_model_is_built_of_layers_as_they_are_written():
    _OfOne.files.clear()
    assert _model(_OfOne())(tf.constant([[1.0, 2.0]])).numpy().tolist() == [[2.0, 4.0]]
    assert set(_OfOne.files) == {__file__}


def test_a_layer_that_says_if_of_a_tensor_is_built_and_trained_alike():
    model = _model(_OfSigns())
    traced = tf.function(model)
    for sign in (1.0, -1.0):
        assert traced(tf.constant([[sign, sign]])).numpy().tolist() == [[1.0, 1.0]]
