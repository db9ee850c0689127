"""A model cut behind its frozen part gives what the whole gives, with the same variables."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import dropout, frozen_part
from fed_pretrain.models.dropout import KeyedDropout


def model(drop: float = 0.0, late: float = 0.0) -> tf.keras.Model:
    x = tf.keras.Input([6, 6, 1])
    a = tf.keras.layers.Conv2D(3, 3, activation="relu", name="first")(x)
    a = KeyedDropout(drop, name="early")(a) if drop else a
    b = tf.keras.layers.Conv2D(3, 1, name="second")(a)
    y = tf.keras.layers.Add(name="sum")([a, b])
    y = tf.keras.layers.GlobalAveragePooling2D()(y)
    y = KeyedDropout(late, name="late")(y) if late else y
    return tf.keras.Model(x, tf.keras.layers.Dense(4, name="head")(y))


def frozen(made: tf.keras.Model, *training: str) -> tf.keras.Model:
    for layer in made.layers:
        layer.trainable = layer.name in training
    return made


X = np.random.default_rng(0).normal(size=(5, 6, 6, 1)).astype(np.float32)


@pytest.mark.parametrize("training", [("head",), ("second", "head")])
def test_the_rest_of_the_features_is_the_whole(training) -> None:
    whole = frozen(model(), *training)
    found = frozen_part.cut(whole)
    assert found is not None
    tail = frozen_part.Tail(found)
    features = found.body(X)
    assert features.shape[1:] == ([3] if training == ("head",) else [4, 4, 3])
    np.testing.assert_array_equal(tail(features), whole(X))
    for kind in ("trainable_variables", "non_trainable_variables"):
        mine, theirs = getattr(tail, kind), getattr(whole, kind)
        assert [id(v) for v in mine] == [id(v) for v in theirs]


def test_dropout_behind_the_cut_drops_the_same() -> None:
    whole = frozen(model(late=0.5), "head")
    found = frozen_part.cut(whole)
    assert found is not None
    with dropout.keyed(tf.constant([1, 2])):
        mine = frozen_part.Tail(found)(found.body(X), training=True)
        np.testing.assert_array_equal(mine, whole(X, training=True))
    assert not np.array_equal(mine, whole(X))


def test_what_drops_in_front_of_frozen_weights_is_no_function_of_the_example() -> None:
    whole = frozen(model(drop=0.5), "head")
    found = frozen_part.cut(whole)
    assert found is not None
    assert tuple(found.tensor.shape[1:]) == (4, 4, 3)  # The convolution before the dropout.
    quiet = frozen_part.cut(whole, quiet=True)
    assert quiet is not None
    assert tuple(quiet.tensor.shape[1:]) == (3,)
    np.testing.assert_array_equal(frozen_part.Tail(quiet)(quiet.body(X)), whole(X))


@pytest.mark.parametrize("training", [("first",), ("first", "second", "head")])
def test_a_model_that_trains_from_its_first_weights_is_not_cut(training) -> None:
    assert frozen_part.cut(frozen(model(), *training)) is None
