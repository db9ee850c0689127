"""The recurrent models against a NumPy LSTM."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import char_cnn_lm
from fed_pretrain.models import recurrent as char_lstm
from fed_pretrain.models import recurrent as word_lstm


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def numpy_lstm(x, kernel, recurrent, bias):
    """Gates in Keras' order: input, forget, cell, output."""
    units = recurrent.shape[0]
    h = c = np.zeros((len(x), units))
    states = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def weights_of(model):
    """By layer and attribute, without the counters Keras puts into cells' names."""
    return {
        (w.name.split("/")[0], w.name.split("/")[-1].split(":")[0]): w.numpy().astype(np.float64)
        for w in model.weights
    }


def lstm_of(weights, layer, x):
    return numpy_lstm(x, *(weights[layer, k] for k in ("kernel", "recurrent_kernel", "bias")))


@pytest.mark.parametrize("cudnn", [True, False])
def test_the_char_lstm_is_textgenrnns_network(cudnn):
    model = char_lstm.char_lstm(12, sequence_length=6, embedding=5, units=4, cudnn=cudnn)
    ids = np.random.default_rng(0).integers(0, 12, (3, 6))
    w = weights_of(model)
    embedded = w["embedding", "embeddings"][ids]
    first = lstm_of(w, "rnn_1", embedded)
    second = lstm_of(w, "rnn_2", first)
    states = np.concatenate([embedded, first, second], axis=-1)
    shares = softmax(states @ w["attention", "kernel"], axis=1)
    expected = (shares * states).sum(1) @ w["output", "kernel"] + w["output", "bias"]
    np.testing.assert_allclose(model(ids), expected, atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_the_word_lstm_projects_back_to_its_embedding(tied):
    model = word_lstm.word_lstm(11, sequence_length=4, embedding=3, units=5, tied=tied)
    ids = np.random.default_rng(0).integers(0, 11, (2, 4))
    w = weights_of(model)
    table = w["embedding", "embeddings"]
    x = lstm_of(w, "lstm", table[ids]) @ w["projection", "kernel"] + w["projection", "bias"]
    expected = x @ table.T if tied else x @ w["output", "kernel"] + w["output", "bias"]
    np.testing.assert_allclose(model(ids), expected, atol=1e-5)


def test_tied_weights_refuse_another_number_of_classes():
    with pytest.raises(ValueError, match="num_classes=11"):
        word_lstm.word_lstm(11, vocab_size=12, tied=True)


SIZE = char_cnn_lm.Size(filters=((1, 2), (3, 4)), highways=1, units=5, characters=3)


def test_charlm_is_convolutions_a_highway_and_an_lstm():
    model = char_cnn_lm.build(9, 7, sequence_length=3, word_length=5, size=SIZE)
    ids = np.random.default_rng(0).integers(0, 7, (2, 3, 5))
    w = weights_of(model)
    x = w["char_embedding", "embeddings"][ids]
    features = []
    for width, _ in SIZE.filters:
        kernel, bias = w[f"conv_w{width}", "kernel"][0], w[f"conv_w{width}", "bias"]
        windows = [x[:, :, s : s + width] for s in range(5 - width + 1)]
        answers = [np.tanh(np.einsum("btwc,wcf->btf", y, kernel) + bias) for y in windows]
        features.append(np.max(answers, axis=0))
    x = np.concatenate(features, axis=-1)
    transform = np.maximum(
        x @ w["highway_0_transform", "kernel"] + w["highway_0_transform", "bias"], 0
    )
    gate = sigmoid(x @ w["highway_0_gate", "kernel"] + w["highway_0_gate", "bias"])
    x = gate * transform + (1 - gate) * x
    x = lstm_of(w, "lstm_1", lstm_of(w, "lstm_0", x))
    expected = x @ w["output", "kernel"] + w["output", "bias"]
    np.testing.assert_allclose(model(ids), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "expected", "millions"), [("small", 5_310_115, 5), ("large", 19_367_965, 19)]
)
def test_charlm_has_the_papers_millions_of_parameters(size, expected, millions):
    with tf.Graph().as_default():
        count = char_cnn_lm.build(size=size).count_params()
    assert count == expected
    assert count // 10**6 == millions


def test_charlm_refuses_words_shorter_than_its_filters():
    with pytest.raises(ValueError, match="word_length 4"):
        char_cnn_lm.build(9, 7, word_length=4)


def test_charlm_starts_as_published():
    w = weights_of(char_cnn_lm.build(9, 7, word_length=5, size=SIZE))
    np.testing.assert_array_equal(w["highway_0_gate", "bias"], -2)
    for (layer, attribute), value in w.items():
        if (layer, attribute) != ("highway_0_gate", "bias"):
            assert np.abs(value).max() <= 0.05, (layer, attribute)


def test_the_gradient_of_tied_logits_makes_no_tensor_larger_than_the_logits() -> None:
    """A product by each token and each word would take 158 GB for DistilGPT2 and 16 rows."""
    rows, length, words, width = 2, 5, 300, 8
    layer = word_lstm.TokenEmbedding(words, width)
    layer.build(None)

    @tf.function
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(x, reverse=True)))
        return tape.gradient(loss, layer.embeddings)

    graph = gradient.get_concrete_function(tf.TensorSpec((rows, length, width))).graph
    sizes = [
        output.shape.num_elements()
        for operation in graph.get_operations()
        for output in operation.outputs
        if output.shape.is_fully_defined()
    ]
    assert max(sizes) == rows * length * words
