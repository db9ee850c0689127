"""The same rounds give the same weights whatever runs them."""

import collections
import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, spec_of
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.models import known_models
from fed_pretrain.tasks.objective import keras_loss
from tests.fed_pretrain.algorithms import adapters_test
from tests.fed_pretrain.executors import digits, texts

SGD_BOUND = 1e-5
ADAM_BOUND = 1e-4  # Adam divides by the root of tiny second moments: rounding grows there.

SETTINGS = digits.UPDATES | digits.OTHERS
EXECUTORS = ("native", "beam", "pjrt")
QUICK = {
    *((name, "native") for name in ("fedavg", "scaffold", "mime", "late", "correlated noise")),
    *((name, "beam") for name in ("fedavg", "scaffold")),
    *(("fedadam", executor) for executor in ("native", "beam")),
}


@pytest.mark.parametrize(
    ("name", "executor"),
    [
        pytest.param(*pair, marks=[pytest.mark.slow] * (pair not in QUICK))
        for pair in itertools.product(SETTINGS, EXECUTORS)
    ],
)
def test_the_others_agree_with_device(request, on_device, name, executor):
    made, reference = digits.algorithm(**SETTINGS[name]), on_device(**SETTINGS[name])
    finished = digits.train(request.getfixturevalue(executor), made)
    bound = ADAM_BOUND if name == "fedadam" else SGD_BOUND
    assert digits.difference(finished.weights, digits.start_weights()) > 1e-3
    assert digits.difference(finished.weights, reference.weights) < bound
    assert set(finished.client_states) == set(reference.client_states)
    assert digits.difference(finished.client_states, reference.client_states) < bound
    metrics = finished.metrics["client_work"], reference.metrics["client_work"]
    assert digits.difference(*metrics) < 100 * bound


def test_every_client_update_is_compared() -> None:
    compared = {settings.get("client_update", "sgd") for settings in digits.UPDATES.values()}
    assert compared == set(known_updates.names())


class Scales(NamedTuple):
    """Not TFF's own container: executors take a value by its names."""

    pixels: np.ndarray
    labels: np.ndarray


@tff.tensorflow.computation(
    collections.OrderedDict(pixels=np.float32, labels=np.int32),
    tff.SequenceType(tff.types.tensorflow_to_type(digits.PAYLOAD)),
)
def _scaled(scales: Any, data: Any) -> Any:
    payload = data.get_single_element()
    return collections.OrderedDict(
        pixels=scales["pixels"] * tf.reduce_sum(tf.cast(payload["x"], tf.float32)),
        labels=scales["labels"] * tf.reduce_sum(payload["y"]),
    )


def test_all_map_and_sum_clients_alike(native, beam, device):
    scales, clients = Scales(np.float32(2), np.int32(3)), digits.clients(1)
    expected = [
        {"pixels": 2.0 * float(one["x"].sum()), "labels": 3 * int(one["y"].sum())}
        for one in (client.read() for client in clients)
    ]
    for executor in (native, beam, device):
        assert list(executor.map_clients(_scaled, scales, clients)) == expected
        total = executor.sum_clients(_scaled, scales, clients)
        assert total["pixels"] == sum(one["pixels"] for one in expected)
        assert total["labels"] == sum(one["labels"] for one in expected)


@pytest.mark.slow
def test_privacy_noise_is_as_large_on_device_as_asked(device):
    settings = {"dp_noise_multiplier": 2.0, "dp_clip_norm": 0.5, "weighting": "uniform"}
    quiet = digits.train(device, digits.algorithm(**settings | {"dp_noise_multiplier": 0.0}), 1)
    noisy = digits.train(device, digits.algorithm(**settings), 1)
    noise = np.concatenate(
        [np.ravel(a - b) for a, b in zip(noisy.weights, quiet.weights, strict=True)]
    )
    expected = 2.0 * 0.5 / len(digits.SIZES)  # multiplier x clip norm / clients
    assert noise.std() == pytest.approx(expected, rel=0.1)
    assert abs(noise.mean()) < 4 * expected / np.sqrt(noise.size)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["native", "beam", "jit", "pjrt"])
@pytest.mark.parametrize("model", ["char_cnn", "char_lstm", "word_lstm", "char_cnn_lm"])
def test_the_others_agree_on_texts(request, device, tmp_path, model, executor):
    """Two recurrent layers, one, and a model with dropout between its layers."""
    one = texts.prepared(device, tmp_path, model)
    expected = one.weights(device)
    found = one.weights(request.getfixturevalue(executor))
    assert digits.difference(expected, one.start.global_model_weights.trainable) > 1e-3
    assert digits.difference(found, expected) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["native", "jit", "pjrt"])
def test_the_others_drop_what_device_drops_at_full_size(request, device, executor):
    """emnist_cnn on digits enlarged to 28x28, with batches that are not full."""
    spec = spec_of(
        tf.TensorSpec([None, 28, 28, 1], tf.uint8), tf.TensorSpec([None], tf.int32), digits.BATCH
    )
    images, labels = digits.all_digits()
    large = np.kron(images[:, 1:, 1:], np.ones((1, 4, 4, 1), np.uint8))

    def model_fn() -> Any:
        pixels = tf.keras.Input([28, 28, 1], dtype=tf.uint8)
        model = known_models.build("emnist_cnn", 10, input_shape=(28, 28, 1))
        return tff.learning.models.from_keras_model(
            tf.keras.Model(pixels, model(tf.keras.layers.Rescaling(1 / 255)(pixels))),
            loss=keras_loss(digits.OBJECTIVE),
            input_spec=collections.OrderedDict(x=spec["x"], y=spec["y"]),
            metrics=[],
        )

    def read(rows: int) -> Any:
        work = LocalWork(digits.BATCH, epochs=1)
        return make_payload(large[:rows], labels[:rows], work, 3, 1, f"{rows}")

    config = ResolvedAlgorithm(population=2, clients_per_round=2, alignment="none")
    made = compose.build(config, model_fn, spec, digits.OBJECTIVE)
    inputs = [ClientInput(f"{rows}", functools.partial(read, rows)) for rows in (20, 9)]
    # Moved by 3e-6 of its size in 24 ways, this start's update follows by 6e-6 at most.
    first = digits.drawn(made, device.initialize(made.process), seed=11)
    start = first.global_model_weights.trainable
    plain, found = (
        one.run_round(made, first, inputs).state.global_model_weights.trainable
        for one in (device, request.getfixturevalue(executor))
    )
    for before, expected, weights in zip(start, plain, found, strict=True):
        way = digits.difference(expected, before)
        assert digits.difference(weights, expected) < 1e-5 * way


@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTORS)
def test_all_correct_kernels_by_what_the_means_of_adapters_leave_out_alike(device, request, name):
    other = request.getfixturevalue(name)
    runs = [adapters_test.begun(one, 2, trains_a=True, corrects=True) for one in (device, other)]
    for run in runs:
        run.two_rounds()
    reference, found = (adapters_test.factors_of(run) for run in runs)
    assert np.abs(reference[0] - adapters_test.KERNEL).max() > 1e-4
    assert digits.difference(found, reference) < SGD_BOUND
