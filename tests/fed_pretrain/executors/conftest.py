"""Executors shared by the room's tests; TFF's default context is put back to none of ours."""

from collections.abc import Callable, Iterator

import pytest

from fed_pretrain.executors.creation import create
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.native.native_executor import NativeExecutor
from fed_pretrain.executors.pjrt import environment
from fed_pretrain.executors.pjrt.pjrt_executor import PjrtExecutor
from tests.fed_pretrain.executors import digits


@pytest.fixture(scope="session")
def device() -> Iterator[DeviceExecutor]:
    with create(ExecutorOptions(clients_in_flight=2)) as executor:
        yield executor


@pytest.fixture(scope="session")
def native() -> Iterator[NativeExecutor]:
    patient = ExecutorOptions(executor="native", round_timeout=900, start_timeout=600)
    with create(patient) as executor:
        yield executor


@pytest.fixture(scope="session")
def beam() -> Iterator[object]:
    with create(ExecutorOptions(executor="beam", fan_out=2)) as executor:
        yield executor


@pytest.fixture(scope="session")
def jit() -> Iterator[DeviceExecutor]:
    with DeviceExecutor(ExecutorOptions(jit=True, clients_in_flight=2)) as executor:
        yield executor


@pytest.fixture(scope="session")
def pjrt() -> Iterator[PjrtExecutor]:
    if environment.missing():
        pytest.skip("needs `make pjrt`")
    with create(ExecutorOptions(executor="pjrt", start_timeout=300)) as executor:
        assert isinstance(executor, PjrtExecutor)
        yield executor


@pytest.fixture(scope="session")
def on_device(device: DeviceExecutor) -> Callable[..., digits.Finished]:
    """`on_device(client_update="sgd", ...)` after three rounds."""
    done: dict[object, digits.Finished] = {}

    def get(**settings: object) -> digits.Finished:
        made = digits.algorithm(**settings)
        if made.config not in done:
            done[made.config] = digits.train(device, made)
        return done[made.config]

    return get
