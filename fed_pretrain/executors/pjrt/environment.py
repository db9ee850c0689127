"""The devices of --executor=pjrt, and the Python that serves each kind."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from fed_pretrain.executors.device import placement
from groundwork.errors import UserError

_ROOT = Path(__file__).parents[3]
# Of each kind: JAX's name of the platform, and the targets that make an environment for it.
_PLATFORMS = {"CPU": "cpu", "GPU": "gpu", "TPU": "tpu"}
_TARGETS = {"CPU": ("pjrt", "pjrt-cuda", "pjrt-tpu"), "GPU": ("pjrt-cuda",), "TPU": ("pjrt-tpu",)}


@dataclasses.dataclass(frozen=True)
class WorkerDevice:
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"

    @property
    def platform(self) -> str:
        return _PLATFORMS[self.kind]

    def environment(self, deterministic: bool) -> Mapping[str, str]:
        """Of a process that sees this device alone."""
        mine = {"JAX_PLATFORMS": "cuda" if self.kind == "GPU" else self.platform}
        flags = os.environ.get("XLA_FLAGS", "")
        if self.kind == "GPU":
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            listed = [name for name in visible.split(",") if name]
            mine["CUDA_VISIBLE_DEVICES"] = (
                listed[self.number] if self.number < len(listed) else str(self.number)
            )
            if deterministic:
                flags += " --xla_gpu_deterministic_ops=true"
        if self.kind == "TPU":
            one = {"TPU_PROCESS_BOUNDS": "1,1,1", "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1"}
            mine |= {"TPU_VISIBLE_CHIPS": str(self.number), **one}
        dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, **mine, "XLA_FLAGS": flags.strip()}


def devices_of(devices: str) -> list[WorkerDevice]:
    """`GPU:0,GPU:1` or `GPU`, which means all there are."""
    found: list[WorkerDevice] = []
    for kind, number in placement.parse(devices):
        numbers = range(_present(kind)) if number is None else [number]
        found += [WorkerDevice(kind, n) for n in numbers]
    return list(dict.fromkeys(found))


def python_of(device: WorkerDevice, given: str) -> str:
    """The interpreter of an environment that serves the device."""
    if given:
        if not os.access(given, os.X_OK):
            raise UserError(f"--pjrt_python={given}: no such program")
        return given
    targets = _TARGETS[device.kind]
    for target in targets:
        folder = _ROOT / ".cache" / target
        if (folder / ".stamp").exists():
            return str(folder / "bin" / "python")
    raise UserError(
        f"--executor=pjrt: no environment for a {device.kind}: run `make {targets[0]}`, or name a"
        " Python that has JAX by --pjrt_python"
    )


def missing() -> str:
    """Why no device of any kind can be used; empty where one can."""
    try:
        python_of(WorkerDevice("CPU", 0), "")
    except UserError:
        return "no environment for it, which is a choice"
    return ""


def _present(kind: str) -> int:
    if kind == "CPU":
        return 1
    if kind == "GPU":
        listed = os.environ.get("CUDA_VISIBLE_DEVICES")
        if listed is not None:
            return max(1, len([name for name in listed.split(",") if name]))
        places = [Path("/proc/driver/nvidia/gpus").glob("*")]
    else:
        places = [Path("/dev").glob("accel*"), Path("/dev/vfio").glob("[0-9]*")]
    return max(1, sum(1 for place in places for _ in place))
