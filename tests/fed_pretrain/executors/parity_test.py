"""The same rounds give the same weights whatever runs them."""

from typing import Any

import numpy as np
import pytest

from tests.fed_pretrain.executors import digits

SGD_BOUND = 1e-5
ADAM_BOUND = 1e-4  # Adam divides by the root of tiny second moments: rounding grows there.

FEDAVG: dict[str, Any] = {}
FEDADAM = {"server_optimizer": "adam", "server_learning_rate": 0.01, "server_epsilon": 1e-3}
SCAFFOLD = {"client_update": "scaffold"}
OTHERS = {
    "fedprox": {"client_update": "proximal", "proximal_strength": 0.1},
    "fednova": {"client_update": "nova"},
    "mimelite": {"client_update": "mimelite", "server_momentum": 0.9},
    "feddyn": {"client_update": "feddyn"},
    "dp without noise": {"dp_noise_multiplier": 0.0, "weighting": "uniform"},
}


@pytest.mark.parametrize("settings", [FEDAVG, SCAFFOLD], ids=["fedavg", "scaffold"])
def test_native_and_device_agree(native, on_device, settings):
    _agree(native, on_device(**settings), settings, SGD_BOUND)


@pytest.mark.parametrize("settings", [FEDAVG, SCAFFOLD], ids=["fedavg", "scaffold"])
def test_beam_and_device_agree(beam, on_device, settings):
    _agree(beam, on_device(**settings), settings, SGD_BOUND)


def test_all_agree_with_adam_on_the_server(native, beam, on_device):
    for executor in (native, beam):
        _agree(executor, on_device(**FEDADAM), FEDADAM, ADAM_BOUND)


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
