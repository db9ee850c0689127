"""The executors by name: what each is, what it cannot do, and where its class is.

Nothing here imports TensorFlow, so that flags, help and `doctor` can read it at once.
"""

import dataclasses
import importlib
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class KnownExecutor:
    """`refuses` maps an option, which must then have its default, to the reason.

    `cure` is what `doctor` advises when a round fails. `chosen` is the module that says what is
    `missing()` of an executor whose part of the installation is a choice.
    """

    name: str
    help: str
    module: str
    class_name: str
    cure: str
    refuses: Mapping[str, str] = dataclasses.field(default_factory=dict)
    chosen: str = ""

    def missing(self) -> str:
        """Why it cannot run here though nothing is broken; empty where it can."""
        if not self.chosen:
            return ""
        return str(importlib.import_module(self.chosen).missing())


_NO_XLA = "TFF's worker cannot do that; use --executor=device"
_ROWS = (
    KnownExecutor(
        "device",
        "in this process, on CPUs, GPUs or a TPU",
        "fed_pretrain.executors.device.device_executor",
        "DeviceExecutor",
        "it is the default: install requirements.lock anew (`rm -rf .venv && make .venv`)",
    ),
    KnownExecutor(
        "native",
        "TFF's own C++ worker, on CPUs",
        "fed_pretrain.executors.native.native_executor",
        "NativeExecutor",
        "use --executor=device, which needs no worker process",
        {
            "devices": "TFF's worker has no GPU or TPU inside; use --executor=device",
            "jit": _NO_XLA,
            "mixed_precision": _NO_XLA,
        },
    ),
    KnownExecutor(
        "beam",
        "a Beam job for each round, on any engine's CPUs",
        "fed_pretrain.executors.beam.beam_executor",
        "BeamExecutor",
        "use --executor=device; --executor=beam is for studies on a cluster",
        {
            "devices": "--executor=beam works on CPUs only",
            "jit": "Beam workers run plain kernels; use --executor=device",
        },
    ),
    KnownExecutor(
        "pjrt",
        "compiled by a current JAX in a worker process, on today's GPUs and TPUs",
        "fed_pretrain.executors.pjrt.pjrt_executor",
        "PjrtExecutor",
        "run `make pjrt` (`make pjrt-cuda` for NVIDIA GPUs), or use --executor=device",
        {
            "jit": "--executor=pjrt always compiles",
            "soft_placement": "--executor=pjrt runs all client work on the devices asked for",
        },
        "fed_pretrain.executors.pjrt.environment",
    ),
)
EXECUTORS: Mapping[str, KnownExecutor] = {row.name: row for row in _ROWS}
DEFAULT_NAME = _ROWS[0].name


def summary() -> str:
    return "; ".join(f"{row.name}: {row.help}" for row in _ROWS)
