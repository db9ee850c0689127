"""TFF traces models inside a tf.Graph, where Keras takes its version 1 classes."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import char_cnn, dropout, gpt2, recurrent, small_cnns

BUILDERS = {
    "emnist_cnn": lambda: small_cnns.emnist_cnn(4, (8, 8, 1)),
    "group_norm": lambda: small_cnns.small_cnn(4, (8, 8, 2), norm="group"),
    "char_cnn": lambda: char_cnn.build(6, sequence_length=5, embedding=3, width=4),
    "char_lstm": lambda: recurrent.char_lstm(6, sequence_length=5, embedding=3, units=4),
    "char_lstm_plain": lambda: recurrent.char_lstm(
        6, sequence_length=5, embedding=3, units=4, cudnn=False
    ),
    "word_lstm": lambda: recurrent.word_lstm(6, sequence_length=5, embedding=3, units=4, tied=True),
    "gpt2": lambda: gpt2.build(6, sequence_length=5, size=gpt2.Size(1, 8, 2, 6)),
}


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_model_built_in_a_graph_gives_the_logits_of_one_built_eagerly(name):
    eager = BUILDERS[name]()
    shape, kind = eager.inputs[0].shape[1:], eager.inputs[0].dtype
    random = np.random.default_rng(2)
    x = random.integers(0, 6, (3, *shape)).astype(kind.as_numpy_dtype)
    values = [random.normal(0, 0.3, w.shape) for w in eager.weights]
    eager.set_weights(values)
    key = np.array([3, 4], np.int32)
    with dropout.keyed(tf.constant(key)):
        expected = eager(x, training=False).numpy(), eager(x, training=True).numpy()

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = BUILDERS[name]()
        fed = tf.compat.v1.placeholder(kind, (None, *shape))
        with dropout.keyed(tf.constant(key)):
            logits = model(fed, training=False), model(fed, training=True)
        for w, value in zip(model.weights, values, strict=True):
            w.load(value.astype(np.float32), session)
        found = session.run(logits, {fed: x})
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
