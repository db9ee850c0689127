"""Layers with adapters compute what the plain ones do with the adapters merged."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.models import adapted_layers, adapters, gpt2, small_cnns
from fed_pretrain.models.adapters import Adapters
from fed_pretrain.starts import weight_names
from groundwork.errors import UserError

LORA = Adapters(rank=3, scale=0.7, targets="", trains_a=True, corrects=False)
MODELS = {
    "convolutions": lambda: small_cnns.small_cnn(5, (8, 8, 3), norm="group", groups=4),
    "attention": lambda: gpt2.build(30, size=gpt2.Size(2, 12, 3, 10), sequence_length=6),
    "a sequence": lambda: tf.keras.Sequential(
        [
            tf.keras.Input((9, 4)),
            tf.keras.layers.Conv1D(6, 3, 2, padding="causal", activation="tanh"),
            tf.keras.layers.Dense(5, use_bias=False),
        ]
    ),
}


def values(model: tf.keras.Model) -> dict[str, np.ndarray]:
    return {w.name: w.variable.numpy() for w in weight_names.named_weights(model)}


def put(model: tf.keras.Model, arrays: dict[str, np.ndarray]) -> None:
    for weight in weight_names.named_weights(model):
        weight.variable.assign(arrays[weight.name])


@pytest.mark.parametrize("kind", MODELS)
def test_a_merged_adapter_gives_the_same_logits(kind: str) -> None:
    plain = MODELS[kind]()
    adapted = adapted_layers.add(plain, LORA, head=None)
    generator = np.random.default_rng(1)
    drawn = {n: generator.normal(size=v.shape) * 0.3 for n, v in values(adapted).items()}
    put(adapted, drawn)
    shape = (4, *plain.input_shape[1:])
    x = generator.integers(0, 30, shape) if kind == "attention" else generator.normal(size=shape)
    put(plain, adapters.merged(drawn, LORA.scale))
    before = plain(x).numpy()
    np.testing.assert_allclose(adapted(x), before, rtol=2e-4, atol=2e-4 * np.abs(before).max())
    put(plain, {name: drawn[name] for name in values(plain)})
    assert np.abs(plain(x) - before).max() > 0.05


def test_a_fresh_adapter_adds_nothing_and_trains_alone_with_the_head() -> None:
    plain = MODELS["convolutions"]()
    adapted = adapted_layers.add(plain, LORA, head="head")
    put(adapted, {**values(adapted), **values(plain)})
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 3))
    np.testing.assert_array_equal(adapted(x), plain(x))
    training, resting = weight_names.names(adapted)
    convolutions = [f"conv{number}" for number in (1, 2, 3)]
    factors = [f"{one}/{part}" for one in convolutions for part in (adapters.A, adapters.B)]
    assert training == [*factors, "head/kernel", "head/bias"]
    assert set(resting) == set(values(plain)) - {"head/kernel", "head/bias"}
    a = adapted.get_layer("conv2").lora_a.numpy().reshape(-1, 3)
    np.testing.assert_allclose(a.T @ a, np.eye(3), atol=1e-6)


def test_the_rank_is_lowered_to_the_inputs_of_a_layer_and_a_may_rest() -> None:
    lora = Adapters(rank=40, scale=1.0, targets="conv1|conv2", trains_a=False, corrects=False)
    adapted = adapted_layers.add(MODELS["convolutions"](), lora, head="head")
    assert [w.shape for w in adapted.trainable_variables[:2]] == [(27, 32), (40, 64)]
    assert adapted.get_layer("conv1").lora_a.shape == (3, 3, 3, 27)


def test_a_pattern_that_no_layer_has_is_refused_with_those_there_are() -> None:
    lora = Adapters(rank=4, scale=1.0, targets="dense", trains_a=True, corrects=False)
    with pytest.raises(UserError, match=r"--lora_targets=dense.*conv1, conv2, conv3$"):
        adapted_layers.add(MODELS["convolutions"](), lora, head="head")
