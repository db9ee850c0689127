"""Which devices a flag means, on machines that have several."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from fed_pretrain.executors.device import placement
from fed_pretrain.executors.executor_options import ExecutorOptions


@pytest.mark.parametrize(
    ("devices", "meant"),
    [
        ("CPU", ["/CPU:0"]),
        ("CPU:1", ["/CPU:1"]),
        ("GPU", ["/GPU:0", "/GPU:1"]),
        ("GPU:1,gpu", ["/GPU:1", "/GPU:0"]),
    ],
)
def test_a_bare_gpu_means_all_of_them_and_a_bare_cpu_one(monkeypatch, devices, meant) -> None:
    def found(kind: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=f"/device:{kind}:{number}") for number in range(2)]

    monkeypatch.setattr(tf.config, "list_physical_devices", found)
    monkeypatch.setattr(tf.config, "list_logical_devices", found)
    monkeypatch.setattr(placement, "_memory_growth", lambda: None)
    assert placement.existing(devices) == meant


def test_clients_in_flight_are_those_asked_for_and_some_where_nobody_asks() -> None:
    assert placement.place(ExecutorOptions(clients_in_flight=3)).clients_in_flight == 3
    assert placement.place(ExecutorOptions()).clients_in_flight > 0
