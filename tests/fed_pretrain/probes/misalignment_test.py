from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes import misalignment
from fed_pretrain.probes.misalignment import ClassMeans, Filters, filter_layers, fractions
from groundwork.errors import UserError

layers = tf.keras.layers
# Two classes of one 2x2 image each; class 0 is bright on the left, class 1 on the right.
X = np.array([[[1.0, -1.0], [1.0, -1.0]], [[-1.0, 1.0], [-1.0, 1.0]]], np.float32)[..., None]
Y = np.array([0, 1], np.int32)


def two_filters():
    image = tf.keras.Input([2, 2, 1])
    x = layers.Conv2D(2, 1, activation="relu", name="first")(image)
    x = layers.Conv2D(1, 2, name="second")(x)
    return tf.keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


def weights(first=(1.0, 1.0), first_bias=(0.0, 0.0), second=1.0, second_bias=0.0):
    """`second` weighs the left pixels of the first map, minus the right ones."""
    kernel = np.zeros((2, 2, 2, 1), np.float32)
    kernel[:, 0, 0], kernel[:, 1, 0] = second, -second
    return ModelArrays(
        [
            np.array(first, np.float32).reshape(1, 1, 1, 2),
            np.array(first_bias, np.float32),
            kernel,
            np.array([second_bias], np.float32),
            np.zeros((1, 2), np.float32),
            np.zeros(2, np.float32),
        ],
        [],
    )


@pytest.fixture(scope="module")
def means():
    return ClassMeans(Filters(two_filters), X, Y)


def test_the_means_are_those_computed_by_hand(means):
    found = means(weights(first_bias=(0.5, -0.5)))
    # The mean pixel is 0 in both classes: the bias remains, the patch has none.
    np.testing.assert_allclose(found["live"]["first"], [[0.5, 0.5], [-0.5, -0.5]])
    np.testing.assert_allclose(found["patch"]["first"], np.zeros((2, 2)))
    # relu(x + 0.5) is 1.5 on the bright side and 0 on the other; two pixels a side.
    np.testing.assert_allclose(found["live"]["second"], [[3.0, -3.0]])


def test_a_turned_bias_misaligns_live_but_not_by_the_patch(means):
    final = means(weights(second_bias=0.0))
    now = means(weights(second_bias=-5.0))
    # The second filter answers +2 and -2, moved to -3 and -7: class 0 turned, class 1 did not.
    total, by_layer = fractions(now["live"], final["live"])
    assert by_layer == {"first": 0.0, "second": 0.5}
    assert total == pytest.approx(1 / 6)
    assert fractions(now["patch"], final["patch"])[0] == 0.0


def test_fixed_inputs_blame_only_the_filter_that_moved(means):
    held = means.inputs_at(weights())
    final = means(weights(), held)
    # The first layer turned: the second sees bright and dark swapped, but did not move itself.
    now = means(weights(first=(-1.0, -1.0)), held)
    assert fractions(now["live"], final["live"])[1]["second"] == 1.0
    assert fractions(now["fixed"], final["fixed"])[1]["second"] == 0.0
    turned = means(weights(second=-1.0), held)
    assert fractions(turned["fixed"], final["fixed"])[1]["second"] == 1.0


@pytest.mark.parametrize(("bound", "times"), [(1 << 20, 1), (0, 3)])
def test_inputs_are_computed_once_for_all_rounds_while_they_fit(means, monkeypatch, bound, times):
    monkeypatch.setattr(misalignment, "HELD_BYTES", bound)
    seen = []

    def compute(rows):
        seen.append(rows)
        return means.inputs_at(weights(first=(2.0, 2.0))).at(rows)

    held = misalignment.HeldInputs(compute)
    for bias in (0.0, 1.0, 2.0):
        found = means(weights(second_bias=bias), held)
        # relu(2 x) is 2 on the bright side: two pixels a side, and the bias of the round's filter.
        np.testing.assert_allclose(found["fixed"]["second"], [[4.0 + bias, -4.0 + bias]])
        np.testing.assert_allclose(found["live"]["second"], [[2.0 + bias, -2.0 + bias]])
    assert len(seen) == times


def test_it_reproduces_the_sign_of_the_two_layer_definition():
    """Two-layer CNN, data j mu: filter r is misaligned for class j when sign <w_r, j mu> turned."""
    generator = np.random.default_rng(0)
    mu = generator.standard_normal(6).astype(np.float32)
    start, final = generator.standard_normal((2, 8, 6)).astype(np.float32)
    x = np.stack([mu, -mu]).reshape(2, 1, 6, 1)

    def build():
        image = tf.keras.Input([1, 6, 1])
        z = layers.Conv2D(8, (1, 6), activation="relu", use_bias=False, name="w")(image)
        return tf.keras.Model(image, layers.Dense(2, use_bias=False)(layers.Flatten()(z)))

    def arrays(w):
        return ModelArrays([w.T.reshape(1, 6, 1, 8), np.ones((8, 2), np.float32)], [])

    means = ClassMeans(Filters(build), x, np.array([0, 1]))
    held = means.inputs_at(arrays(final))
    at_end, now = (means(arrays(w), held) for w in (final, start))
    expected = np.mean(np.sign(start @ mu) != np.sign(final @ mu))
    for name in misalignment.DEFINITIONS:
        assert fractions(now[name], at_end[name])[0] == pytest.approx(expected)


def test_what_enters_the_relu_is_read_behind_the_norm():
    image = tf.keras.Input([8, 8, 1])
    x = layers.GroupNormalization(2)(layers.Conv2D(4, 3, name="conv")(image))
    x = layers.DepthwiseConv2D(3, name="depthwise", activation="relu")(layers.ReLU()(x))
    model = tf.keras.Model(image, x)
    found = {layer.name: layer.norm is not None for layer in filter_layers(model)}
    assert found == {"conv": True, "depthwise": False}
    by_name = {layer.name: layer for layer in filter_layers(model)}
    batch = np.random.default_rng(1).standard_normal((3, 8, 8, 1)).astype(np.float32)
    response = by_name["conv"].patch_response(batch)
    expected = tf.keras.Model(image, model.layers[2].output)(batch)
    np.testing.assert_allclose(by_name["conv"].entering(response), expected, atol=1e-6)


def test_a_model_without_filters_and_a_text_task_are_refused():
    vector = tf.keras.Input([3])
    with pytest.raises(UserError, match="no convolution"):
        filter_layers(tf.keras.Model(vector, layers.Dense(2)(vector)))
    context = SimpleNamespace(task=SimpleNamespace(kind="text"))
    with pytest.raises(UserError, match="image model"):
        misalignment.Misalignment(context)


def test_a_random_step_is_as_long_as_trainings_and_keeps_what_training_does_not_move():
    start, final = weights(), weights(second=3.0)
    stepped = misalignment.random_step(start, final, seed=0, draw=1)
    for before, after, moved in zip(
        start.trainable, final.trainable, stepped.trainable, strict=True
    ):
        assert np.linalg.norm(moved - before) == pytest.approx(np.linalg.norm(after - before))
    other = misalignment.random_step(start, final, seed=0, draw=2)
    assert not np.array_equal(stepped.trainable[2], other.trainable[2])


def test_the_share_that_chance_would_leave_is_beside_that_of_training(monkeypatch):
    probe = misalignment.Misalignment.__new__(misalignment.Misalignment)
    probe.subject = SimpleNamespace(seed=0)
    probe._filters = Filters(two_filters)
    monkeypatch.setattr(probe, "_probe_set", lambda: (X, Y))
    snapshots = [(0, lambda: weights(second=1.0)), (3, lambda: weights(second=-1.0))]
    content = probe.at_end(snapshots)
    class_means = ClassMeans(Filters(two_filters), X, Y)
    before = class_means(snapshots[0][1]())["live"]
    steps = [
        misalignment.random_step(snapshots[0][1](), snapshots[1][1](), 0, draw) for draw in range(5)
    ]
    shares = [fractions(before, class_means(one)["live"])[0] for one in steps]
    assert content["random_step"] == pytest.approx(np.mean(shares))
    assert 0 < content["random_step"] < content["total"][0]
    assert probe.at_end(snapshots[1:])["random_step"] is None
