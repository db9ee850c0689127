"""GPT-2 and the BERT encoder against their NumPy forward passes."""

import math

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import attention, bert_encoder, gpt2

GPT = gpt2.Size(blocks=2, width=12, heads=3, positions=10)
BERT = bert_encoder.Size(blocks=2, width=12, heads=3, inner=20, positions=9)


def numpy_gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def numpy_gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def numpy_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def numpy_layer_norm(x, gamma, beta, epsilon):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def numpy_attention(q, k, v, heads, allowed):
    """One sequence [length, width]; `allowed` [length, length] says who may look at whom."""
    size = q.shape[-1] // heads
    out = np.zeros_like(q)
    for head in range(heads):
        s = slice(head * size, (head + 1) * size)
        scores = np.where(allowed, q[:, s] @ k[:, s].T / math.sqrt(size), -np.inf)
        out[:, s] = numpy_softmax(scores) @ v[:, s]
    return out


def numpy_gpt2(weights, ids, blocks, heads):
    """`weights`: name -> array as in HuggingFace's file, with `layer/attribute` names."""
    w = {k: v.astype(np.float64) for k, v in weights.items()}

    def dense(x, name):
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def norm(x, name):
        return numpy_layer_norm(x, w[f"{name}/gamma"], w[f"{name}/beta"], 1e-5)

    x = w["wte/embeddings"][ids] + w["wpe/embeddings"][: len(ids)]
    causal = np.tril(np.ones((len(ids), len(ids)), bool))
    for n in range(blocks):
        q, k, v = np.split(dense(norm(x, f"h_{n}_ln_1"), f"h_{n}_attn_c_attn"), 3, axis=-1)
        x = x + dense(numpy_attention(q, k, v, heads, causal), f"h_{n}_attn_c_proj")
        inner = numpy_gelu_tanh(dense(norm(x, f"h_{n}_ln_2"), f"h_{n}_mlp_c_fc"))
        x = x + dense(inner, f"h_{n}_mlp_c_proj")
    return norm(x, "ln_f") @ w["wte/embeddings"].T


def numpy_bert(weights, ids, blocks, heads, pooling):
    """Logits of one sequence whose padding is 0."""
    w = {k: v.astype(np.float64) for k, v in weights.items()}

    def dense(x, name):
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def norm(x, name):
        return numpy_layer_norm(x, w[f"{name}/gamma"], w[f"{name}/beta"], 1e-12)

    x = w["embeddings_word_embeddings/embeddings"][ids]
    x = x + w["embeddings_position_embeddings/embeddings"][: len(ids)]
    x = x + w["embeddings_token_type_embeddings/embeddings"][0]
    x = norm(x, "embeddings_LayerNorm")
    allowed = np.broadcast_to(np.array(ids) != 0, (len(ids), len(ids)))
    for n in range(blocks):
        p = f"encoder_layer_{n}"
        q, k, v = (dense(x, f"{p}_attention_self_{s}") for s in ("query", "key", "value"))
        y = dense(numpy_attention(q, k, v, heads, allowed), f"{p}_attention_output_dense")
        x = norm(x + y, f"{p}_attention_output_LayerNorm")
        y = dense(numpy_gelu(dense(x, f"{p}_intermediate_dense")), f"{p}_output_dense")
        x = norm(x + y, f"{p}_output_LayerNorm")
    if pooling == "cls":
        return dense(np.tanh(dense(x[0], "pooler_dense")), "classifier")
    return dense(x[np.array(ids) != 0].mean(0), "classifier")


def randomised(model: tf.keras.Model) -> dict[str, np.ndarray]:
    """Draws every weight anew, so that no zero bias hides a mistake; returns them by name."""
    random = np.random.default_rng(3)
    model.set_weights([random.normal(0, 0.5, w.shape) for w in model.weights])
    return {w.name.removesuffix(":0"): w.numpy() for w in model.weights}


def test_gpt2_gives_the_logits_of_the_published_formulas():
    model = gpt2.build(17, sequence_length=7, size=GPT)
    weights = randomised(model)
    ids = np.random.default_rng(0).integers(0, 17, (3, 7))
    expected = [numpy_gpt2(weights, row, GPT.blocks, GPT.heads) for row in ids]
    np.testing.assert_allclose(model(ids), expected, atol=2e-4)


def test_gpt2_sees_no_later_token_so_padding_on_the_right_changes_nothing():
    model = gpt2.build(17, sequence_length=7, size=GPT)
    randomised(model)
    ids = np.array([[5, 3, 8, 2, 0, 0, 0], [5, 3, 8, 2, 9, 11, 4]])
    logits = model(ids).numpy()
    np.testing.assert_allclose(logits[0, :4], logits[1, :4], atol=1e-5)
    assert np.abs(logits[0, 4:] - logits[1, 4:]).max() > 0.1


def test_gpt2s_sizes_have_the_published_numbers_of_parameters():
    model = gpt2.build(17, sequence_length=7, size=GPT)
    assert gpt2_parameters(GPT, 17) == model.count_params()
    assert gpt2_parameters(gpt2.SIZES["gpt2"], 50_257) == 124_439_808
    assert gpt2_parameters(gpt2.SIZES["distilgpt2"], 50_257) == 81_912_576


def gpt2_parameters(size: gpt2.Size, vocab_size: int) -> int:
    block = 12 * size.width**2 + 13 * size.width
    return (vocab_size + size.positions + 2) * size.width + size.blocks * block


def test_gpt2_has_the_tensors_of_huggingfaces_file():
    model = gpt2.build(17, sequence_length=7, size=gpt2.Size(1, 12, 3, 10))
    assert {w.name: tuple(w.shape) for w in model.weights} == {
        "wte/embeddings:0": (17, 12),
        "wpe/embeddings:0": (10, 12),
        "h_0_ln_1/gamma:0": (12,),
        "h_0_ln_1/beta:0": (12,),
        "h_0_attn_c_attn/kernel:0": (12, 36),
        "h_0_attn_c_attn/bias:0": (36,),
        "h_0_attn_c_proj/kernel:0": (12, 12),
        "h_0_attn_c_proj/bias:0": (12,),
        "h_0_ln_2/gamma:0": (12,),
        "h_0_ln_2/beta:0": (12,),
        "h_0_mlp_c_fc/kernel:0": (12, 48),
        "h_0_mlp_c_fc/bias:0": (48,),
        "h_0_mlp_c_proj/kernel:0": (48, 12),
        "h_0_mlp_c_proj/bias:0": (12,),
        "ln_f/gamma:0": (12,),
        "ln_f/beta:0": (12,),
    }


def test_gpt2_refuses_a_vocabulary_that_is_not_its_output_and_too_long_sequences():
    with pytest.raises(ValueError, match="num_classes=17"):
        gpt2.build(17, vocab_size=18, size=GPT)
    with pytest.raises(ValueError, match="10 positions"):
        gpt2.build(17, sequence_length=11, size=GPT)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_bert_gives_the_logits_of_the_published_formulas(pooling):
    model = bert_encoder.build(4, 17, sequence_length=7, size=BERT, pooling=pooling)
    weights = randomised(model)
    ids = np.random.default_rng(0).integers(1, 17, (3, 7))
    ids[1, 4:] = 0
    ids[2, 1:] = 0
    expected = [numpy_bert(weights, row, BERT.blocks, BERT.heads, pooling) for row in ids]
    np.testing.assert_allclose(model(ids), expected, atol=2e-4)


def test_bert_stays_finite_on_a_row_of_padding():
    model = bert_encoder.build(4, 17, sequence_length=7, size=BERT)
    assert np.isfinite(model(np.zeros((2, 7), np.int32))).all()


def test_bert_refuses_an_unknown_pooling():
    with pytest.raises(ValueError, match="'max'"):
        bert_encoder.build(4, pooling="max")


def test_minilm_without_pooler_is_147840_parameters_smaller():
    with tf.Graph().as_default():
        counts = [bert_encoder.build(2, pooling=p).count_params() for p in ("cls", "mean")]
    assert counts == [22_713_216 + 770, 22_713_216 - 147_840 + 770]


def test_the_mean_of_tokens_leaves_padding_out():
    x = np.arange(12.0).reshape(1, 4, 3)
    mean = attention.MeanOfTokens()([x, np.array([[5, 6, 0, 0]])])
    np.testing.assert_allclose(mean, x[:, :2].mean(1))


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [("gpt2", 124_439_808), ("distilgpt2", 81_912_576)])
def test_a_full_sized_gpt2_can_be_built_and_run(size, count):
    model = gpt2.build(sequence_length=8, size=size)
    assert model.count_params() == count
    assert np.isfinite(model(np.arange(8)[np.newaxis])).all()


@pytest.mark.slow
def test_a_full_sized_minilm_can_be_built_and_run():
    model = bert_encoder.build(35, sequence_length=16)
    assert np.isfinite(model(np.arange(1, 17)[np.newaxis])).all()
