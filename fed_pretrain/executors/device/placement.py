"""The devices clients run on, and how many clients run on each at once."""

import dataclasses
import os
from collections.abc import Sequence

from absl import logging

from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork.errors import UserError

GPU_CLIENTS_IN_FLIGHT = 4
CLIENT_MEGABYTES = 400


@dataclasses.dataclass(frozen=True)
class Placement:
    """Names as TensorFlow writes them (`/CPU:0`); the first one is the server's."""

    devices: tuple[str, ...]
    clients_in_flight: int

    @property
    def server(self) -> str:
        return self.devices[0]

    @property
    def on_cpu(self) -> bool:
        return all(device.startswith("/CPU") for device in self.devices)

    @property
    def on_tpu(self) -> bool:
        """A TPU runs nothing but what XLA compiled."""
        return any(device.startswith("/TPU") for device in self.devices)


def place(options: ExecutorOptions) -> Placement:
    """Sets TensorFlow's process-wide settings and checks that the devices exist.

    One intra-op thread: the order of a sum inside a kernel then never depends on the machine, and
    several clients in flight use the cores better than several threads inside one small kernel.
    """
    import tensorflow as tf

    _threads(1)
    names = existing(options.devices)
    # Only now: what is refused above changes nothing in this process.
    if options.deterministic and any(name.startswith("/GPU") for name in names):
        tf.config.experimental.enable_op_determinism()
    tf.config.set_soft_device_placement(options.soft_placement)
    return Placement(tuple(names), options.clients_in_flight or _automatic(names))


def existing(devices: str) -> list[str]:
    """The devices meant, as TensorFlow names them; they are started."""
    import tensorflow as tf

    kinds = parse(devices)
    for kind in {kind for kind, _ in kinds} - {"CPU"}:
        if kind == "TPU":
            _start_tpu()
        elif not tf.config.list_physical_devices(kind):
            raise UserError(
                f"--devices={devices}: TensorFlow sees no {kind} on this machine: `make gpu` adds "
                "what it needs for one, and `python -m fed_pretrain.doctor` says what it sees"
            )
        if kind == "GPU":
            _memory_growth()
    names: list[str] = []
    for kind, number in kinds:
        found = [d.name.removeprefix("/device:") for d in tf.config.list_logical_devices(kind)]
        wanted = found if number is None and kind != "CPU" else [f"{kind}:{number or 0}"]
        missing = [name for name in wanted if name not in found]
        if missing:
            raise UserError(f"--devices={devices}: no {missing[0]}; TensorFlow sees {found}")
        names += [f"/{name}" for name in wanted if f"/{name}" not in names]
    return names


def parse(devices: str) -> list[tuple[str, int | None]]:
    """`GPU:0,GPU:1` -> [("GPU", 0), ("GPU", 1)]; a bare kind means all devices of that kind."""
    kinds: list[tuple[str, int | None]] = []
    for text in devices.split(","):
        kind, _, number = text.strip().upper().partition(":")
        if kind not in ("CPU", "GPU", "TPU") or (number and not number.isdigit()):
            raise UserError(
                f"--devices={devices}: {text.strip()!r} is not CPU, GPU, GPU:NUMBER or TPU"
            )
        kinds.append((kind, int(number) if number else None))
    return kinds


def cores() -> int:
    return len(os.sched_getaffinity(0))


def _start_tpu() -> None:
    """As TensorFlow's guide has it for a TPU of this machine; never run on one."""
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError("--devices=TPU: TensorFlow sees no TPU on this machine") from error


def _threads(intra_op_threads: int) -> None:
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() == intra_op_threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    except RuntimeError:
        logging.warning(
            "TensorFlow already runs with other threads: create the executor before any tensor"
        )


def _memory_growth() -> None:
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            logging.warning("GPU memory growth could not be set: TensorFlow already runs")


def _automatic(devices: Sequence[str]) -> int:
    """Clients in flight on all devices together: by cores and free memory."""
    if not devices[0].startswith("/CPU"):
        return min(GPU_CLIENTS_IN_FLIGHT, cores()) * len(devices)
    return max(1, min(cores(), _available_megabytes() // CLIENT_MEGABYTES))


def _available_megabytes() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return CLIENT_MEGABYTES * cores()
