"""Models of one's own: named by content, built anew, refused with a reason."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.tasks import known_tasks, own_model
from groundwork.errors import UserError

layers = tf.keras.layers


def sequential(*more):
    return tf.keras.Sequential([layers.Dense(4, activation="relu", input_shape=(3,)), *more])


def functional():
    row = tf.keras.Input((3,))
    one = layers.Dense(4)(row)
    both = layers.Add()([one, layers.Dense(4)(one)])
    return tf.keras.Model(row, layers.Dense(2)(both))


def test_a_cell_run_twice_gives_the_same_model():
    tf.keras.backend.clear_session()
    for make in (lambda: sequential(layers.Dense(2)), functional):
        assert own_model.of_model(make()) == own_model.of_model(make())
    other = sequential(layers.Dense(2, use_bias=False))
    assert own_model.of_model(other) != own_model.of_model(sequential(layers.Dense(2)))


def test_what_is_built_anew_computes_the_same():
    for model in (functional(), tf.keras.Sequential([functional(), layers.Dense(5)])):
        model.build((None, 3))
        again = own_model.of_model(model)(model.output_shape[-1])
        again.set_weights(model.get_weights())
        x = np.ones((2, 3), np.float32)
        np.testing.assert_allclose(again(x), model(x), rtol=1e-6)


def test_dropout_takes_its_mask_from_the_key_of_a_step():
    built = own_model.of_model(sequential(layers.Dropout(0.5), layers.Dense(2)))(2)
    assert [type(layer).__name__ for layer in built.layers][2] == "KeyedDropout"


def test_a_file_is_the_model_that_was_saved(tmp_path):
    model = sequential(layers.Dense(2))
    model.save(tmp_path / "mine.keras")
    found = own_model.find(f"keras:{tmp_path}/mine.keras")
    assert found == own_model.of_model(model)
    with pytest.raises(UserError, match="there is no such file"):
        known_tasks.check_model(known_tasks.get("classification"), "keras:none.keras")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: sequential(layers.GaussianNoise(0.1)), "draws random numbers that no seed"),
        (
            lambda: tf.keras.Sequential([sequential(layers.BatchNormalization()), layers.Dense(2)]),
            "is inside a nested model",
        ),
    ],
)
def test_models_that_cannot_be_federated_are_refused(make, sentence):
    model = make()
    model.build((None, 3))
    with pytest.raises(UserError, match=sentence):
        own_model.of_model(model)


@pytest.mark.parametrize("last", [layers.Dense(2, activation="softmax"), layers.Softmax()])
def test_probabilities_are_refused_where_logits_are_wanted(last):
    name = own_model.remember(own_model.of_model(sequential(last)))
    with pytest.raises(UserError, match="it returns probabilities"):
        own_model.choice(name, known_tasks.get("classification"))
    assert own_model.choice(name, known_tasks.get("regression")).whole is not None


def test_another_number_of_outputs_is_refused():
    with pytest.raises(UserError, match="has 2 outputs, and the data asks for 3"):
        own_model.of_model(sequential(layers.Dense(2)))(3)
