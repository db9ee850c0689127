"""The same rounds give the same weights whatever runs them."""

import collections
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.pjrt import environment
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from tests.fed_pretrain.algorithms import adapters_test
from tests.fed_pretrain.executors import digits
from tests.fed_pretrain.tasks import miniature

SGD_BOUND = 1e-5
ADAM_BOUND = 1e-4  # Adam divides by the root of tiny second moments: rounding grows there.

FEDAVG: dict[str, Any] = {}
FEDADAM = {"server_optimizer": "adam", "server_learning_rate": 0.01, "server_epsilon": 1e-3}
SCAFFOLD = {"client_update": "scaffold"}
MIME = {"client_update": "mime", "server_momentum": 0.9}
LATE = {"late_rounds": 2}
NOISY = {
    "dp_noise_multiplier": 0.5,
    "dp_clip_norm": 0.3,
    "weighting": "uniform",
    "sampling": "all",
    "dp_noise": "correlated",
    "dp_restart_rounds": 2,
}
OTHERS = {
    "fedprox": {"client_update": "proximal", "proximal_strength": 0.1},
    "fednova": {"client_update": "nova"},
    "mimelite": {"client_update": "mimelite", "server_momentum": 0.9},
    "nova authors": {"client_update": "nova_authors"},
    "gd": {"client_update": "gd"},
    "fedsgd": {"client_update": "fedsgd"},
    "quantised": {"compression": "quantize", "weighting": "uniform"},
    "secure": {"secure_aggregation": True},
    "feddyn": {"client_update": "feddyn"},
    "independent noise": {"dp_noise_multiplier": 0.5, "weighting": "uniform"},
}


@pytest.mark.parametrize(
    "settings",
    [FEDAVG, SCAFFOLD, MIME, LATE, NOISY],
    ids=["fedavg", "scaffold", "mime", "late", "noisy"],
)
def test_native_and_device_agree(native, on_device, settings):
    _agree(native, on_device(**settings), settings, SGD_BOUND)


@pytest.mark.parametrize(
    "settings",
    [FEDAVG, SCAFFOLD, *(pytest.param(s, marks=pytest.mark.slow) for s in (MIME, LATE, NOISY))],
    ids=["fedavg", "scaffold", "mime", "late", "noisy"],
)
def test_beam_and_device_agree(beam, on_device, settings):
    _agree(beam, on_device(**settings), settings, SGD_BOUND)


def test_all_agree_with_adam_on_the_server(native, beam, on_device):
    for executor in (native, beam):
        _agree(executor, on_device(**FEDADAM), FEDADAM, ADAM_BOUND)


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


def test_every_client_update_is_compared() -> None:
    compared = {s.get("client_update", "sgd") for s in (FEDAVG, SCAFFOLD, MIME, *OTHERS.values())}
    assert compared == set(known_updates.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_all_agree_for_the_other_algorithms(native, beam, on_device, name):
    for executor in (native, beam):
        _agree(executor, on_device(**OTHERS[name]), OTHERS[name], SGD_BOUND)


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


def _agree(executor: Any, reference: digits.Finished, settings: Any, bound: float) -> None:
    finished = digits.train(executor, digits.algorithm(**settings))
    assert digits.difference(finished.weights, digits.start_weights()) > 1e-3
    assert digits.difference(finished.weights, reference.weights) < bound
    assert set(finished.client_states) == set(reference.client_states)
    assert digits.difference(finished.client_states, reference.client_states) < bound
    assert digits.difference(finished.metrics["client_work"], reference.metrics["client_work"]) < (
        100 * bound
    )


@pytest.mark.slow
def test_all_agree_on_a_model_that_predicts_at_every_place(native, beam, device, tmp_path):
    clients = miniature.texts(("to be", "or not"), ("that is the question",), ("a",))
    dataset = miniature.write(tmp_path, miniature.TEXT, {"train": clients})
    task = known_tasks.load("chitchat", dataset, "char_cnn", TaskOptions(sequence_length=8))
    config = ResolvedAlgorithm(population=3, clients_per_round=3, alignment="none")
    made = compose.build(config, task.model_fn(), task.payload_spec(2), task.objective)
    reader, work = task.reader("train"), LocalWork(2)
    inputs = [ClientInput(name, reader.bind(name, work, 3, 1)) for name in reader.client_ids]
    first = device.initialize(made.process)
    expected, *others = (
        executor.run_round(made, first, inputs).state.global_model_weights.trainable
        for executor in (device, native, beam)
    )
    assert digits.difference(expected, first.global_model_weights.trainable) > 1e-3
    for weights in others:
        assert digits.difference(weights, expected) < SGD_BOUND


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native", "beam", "pjrt"])
def test_all_correct_kernels_by_what_the_means_of_adapters_leave_out_alike(device, request, name):
    if name == "pjrt" and environment.missing():
        pytest.skip("needs `make pjrt`")
    other = request.getfixturevalue(name)
    runs = [adapters_test.begun(one, 2, trains_a=True, corrects=True) for one in (device, other)]
    for run in runs:
        run.two_rounds()
    reference, found = (adapters_test.factors_of(run) for run in runs)
    assert np.abs(reference[0] - adapters_test.KERNEL).max() > 1e-4
    assert digits.difference(found, reference) < SGD_BOUND


@pytest.fixture
def pjrt() -> Iterator[Executor]:
    with create(ExecutorOptions(executor="pjrt", start_timeout=300)) as executor:
        yield executor
