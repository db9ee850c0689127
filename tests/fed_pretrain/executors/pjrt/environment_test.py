"""Which devices are meant, which Python serves them, and what their processes see."""

import re
from pathlib import Path

import pytest

from fed_pretrain.executors.pjrt import environment
from fed_pretrain.executors.pjrt.environment import WorkerDevice
from fed_pretrain.executors.pjrt.versions import JAX
from groundwork.errors import UserError

ROOT = Path(__file__).parents[4]


def test_a_list_of_devices_is_one_worker_each(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    gpus = [WorkerDevice("GPU", 0), WorkerDevice("GPU", 1)]
    assert environment.devices_of("GPU") == gpus
    assert environment.devices_of("GPU:0,GPU:1,GPU:0") == gpus
    assert [gpu.environment(True)["CUDA_VISIBLE_DEVICES"] for gpu in gpus] == ["3", "5"]


def test_a_worker_sees_one_device(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = WorkerDevice("GPU", 1).environment(deterministic=True)
    assert (seen["JAX_PLATFORMS"], seen["CUDA_VISIBLE_DEVICES"]) == ("cuda", "1")
    assert "deterministic" in seen["XLA_FLAGS"]
    assert "deterministic" not in WorkerDevice("GPU", 1).environment(False)["XLA_FLAGS"]
    assert WorkerDevice("TPU", 2).environment(True)["TPU_VISIBLE_CHIPS"] == "2"


def test_a_missing_environment_names_the_command_that_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    for kind, target in (("CPU", "pjrt"), ("GPU", "pjrt-cuda"), ("TPU", "pjrt-tpu")):
        with pytest.raises(UserError, match=f"run `make {target}`"):
            environment.python_of(WorkerDevice(kind, 0), "")
    assert environment.missing()


@pytest.mark.parametrize("name", ["pjrt", "pjrt-cuda", "pjrt-tpu"])
def test_the_locks_pin_the_version_that_the_handshake_asks_for(name):
    for suffix in ("in", "lock"):
        text = (ROOT / "environments" / f"{name}.{suffix}").read_text()
        assert re.findall(r"^jax(?:\[\w+\])?==(\S+)", text, re.M) == [JAX]
