import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import dropout
from fed_pretrain.models.dropout import KeyedDropout
from groundwork import randomness


def key_of(client: str, round_number: int, step: int = 0) -> tf.Tensor:
    seed = randomness.stateless_seed(7, "dropout", round_number, client)
    return dropout.step_key(tf.constant(seed), tf.constant(step))


def mask(key: tf.Tensor, name: str = "drop", rate: float = 0.5) -> np.ndarray:
    with dropout.keyed(key):
        return KeyedDropout(rate, name=name)(tf.ones((64, 8)), training=True).numpy()


def test_clients_rounds_steps_and_layers_get_masks_of_their_own():
    masks = [
        mask(key_of(client, r, step), name)
        for client in "ab"
        for r in (1, 2)
        for step in (0, 1)
        for name in ("first", "second")
    ]
    assert len({m.tobytes() for m in masks}) == 16


def test_the_same_key_gives_the_same_mask():
    np.testing.assert_array_equal(mask(key_of("a", 1, 3)), mask(key_of("a", 1, 3)))


def test_a_share_of_the_rate_is_dropped_and_the_rest_scaled_so_that_the_mean_stays():
    kept = mask(key_of("a", 1), rate=0.25)
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.75)}
    assert abs((kept == 0).mean() - 0.25) < 0.07
    assert abs(kept.mean() - 1) < 0.1


def test_a_compiled_layer_has_the_mask_of_a_plain_one():
    layer = KeyedDropout(0.3, name="drop")

    def drawn(key: tf.Tensor) -> tf.Tensor:
        with dropout.keyed(key):
            return layer(tf.ones((64, 33)), training=True)

    key = key_of("a", 1)
    compiled = tf.function(drawn, jit_compile=True)(key).numpy()
    np.testing.assert_array_equal(compiled == 0, drawn(key).numpy() == 0)
    assert abs((compiled == 0).mean() - 0.3) < 0.05


def test_masks_depend_on_the_key_alone_when_a_graph_is_imported_again():
    with tf.Graph().as_default() as graph:
        key = tf.compat.v1.placeholder(tf.int32, [2], name="key")
        with dropout.keyed(key):
            tf.identity(KeyedDropout(0.5, name="drop")(tf.ones((64, 8)), training=True), "out")
    imports = [
        tf.compat.v1.wrap_function(
            lambda: tf.compat.v1.import_graph_def(graph.as_graph_def(), name=""), []
        ).prune("key:0", "out:0")
        for _ in range(2)
    ]
    for client, r in (("a", 1), ("a", 2), ("b", 1)):
        expected = mask(key_of(client, r))
        for function in imports:
            np.testing.assert_array_equal(function(key_of(client, r)), expected)


def test_a_traced_loop_takes_a_new_mask_each_step():
    layer = KeyedDropout(0.5, name="drop")

    @tf.function
    def masks(key):
        found = tf.TensorArray(tf.float32, 3)
        for step in tf.range(3):
            with dropout.keyed(dropout.step_key(key, step)):
                found = found.write(step, layer(tf.ones((64, 8)), training=True))
        return found.stack()

    key = tf.constant(randomness.stateless_seed(7, "dropout", 1, "a"))
    expected = [mask(key_of("a", 1, step)) for step in range(3)]
    np.testing.assert_array_equal(masks(key), expected)


def test_outside_training_dropout_changes_nothing():
    x = tf.random.stateless_normal((3, 4), seed=(1, 2))
    for training in (None, False, tf.constant(False)):
        np.testing.assert_array_equal(KeyedDropout(0.5)(x, training=training), x)


def test_training_without_a_key_is_refused_by_name():
    layer = KeyedDropout(0.5, name="lonely")
    with pytest.raises(RuntimeError, match="lonely was trained without a key"):
        layer(tf.ones((2, 2)), training=True)
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(inputs, layer(inputs))
    unknown = tf.function(lambda training: model(tf.ones((2, 2)), training=training))
    np.testing.assert_array_equal(unknown(tf.constant(False)), np.ones((2, 2)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="lonely"):
        unknown(tf.constant(True))


def test_a_key_ends_with_its_block():
    with dropout.keyed(key_of("a", 1)):
        pass
    with pytest.raises(RuntimeError, match="without a key"):
        KeyedDropout(0.5)(tf.ones((2, 2)), training=True)


def test_a_rate_of_one_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        KeyedDropout(1.0)


def test_gradients_of_gradients_go_through_a_mask():
    x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
    layer = KeyedDropout(0.5, name="drop")
    with dropout.keyed(key_of("a", 1)), tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x, training=True) ** 3)
        slope = inner.gradient(y, x)
    scale = KeyedDropout(0.5, name="drop")
    with dropout.keyed(key_of("a", 1)):
        kept = scale(tf.ones_like(x), training=True)
    np.testing.assert_allclose(outer.gradient(slope, x), 6 * x * kept**3)
