"""The causal character network against NumPy."""

import numpy as np

from fed_pretrain.models import char_cnn


def causal(x, kernel, bias, dilation):
    """ReLU of a convolution whose place t reads t, t - dilation, t - 2 * dilation, ..."""
    taps = len(kernel)
    out = np.zeros((*x.shape[:2], kernel.shape[2]))
    for place in range(x.shape[1]):
        for tap in range(taps):
            before = place - (taps - 1 - tap) * dilation
            if before >= 0:
                out[:, place] += x[:, before] @ kernel[tap]
    return np.maximum(out + bias, 0)


def test_the_network_is_two_causal_convolutions_over_embedded_characters():
    model = char_cnn.build(7, vocab_size=9, sequence_length=12, embedding=3, width=5)
    ids = np.random.default_rng(0).integers(0, 9, (2, 12)).astype(np.int32)
    table, kernel1, bias1, kernel2, bias2, kernel3, bias3 = (w.numpy() for w in model.weights)
    x = causal(table[ids], kernel1, bias1, dilation=1)
    x = causal(x, kernel2, bias2, dilation=3)
    np.testing.assert_allclose(model(ids), x @ kernel3 + bias3, atol=1e-5)


def test_a_later_character_changes_no_earlier_logit_and_each_logit_sees_ten_characters():
    model = char_cnn.build(9, sequence_length=16)
    ids = np.random.default_rng(1).integers(1, 9, (1, 16)).astype(np.int32)
    logits = model(ids).numpy()
    for place in range(16):
        changed = ids.copy()
        changed[0, place] = (changed[0, place] + 1) % 9
        moved = np.abs(model(changed).numpy() - logits)[0].max(axis=-1) > 0
        assert not moved[:place].any()
        assert moved[place : place + 10].all()
        assert not moved[place + 10 :].any()
