"""The choices a user has about where computations run."""

import dataclasses

from fed_pretrain.executors import known_executors
from groundwork.settings import setting


@dataclasses.dataclass(frozen=True)
class ExecutorOptions:
    executor: str = setting(
        known_executors.DEFAULT_NAME,
        f"What runs the computations ({known_executors.summary()}).",
        choices=tuple(known_executors.EXECUTORS),
    )
    devices: str = setting("CPU", "CPU, GPU, TPU, or a list such as GPU:0,GPU:1.")
    clients_in_flight: int = setting(
        0, "Clients worked on at once on all devices; 0: by cores and memory.", lower_bound=0
    )
    jit: bool = setting(
        False,
        "Compile client work with XLA, on device only: clients are padded to sizes that double, so"
        " that it compiles a few times (slow for convolutions on CPU; always so on TPU, where this"
        " was never run).",
    )
    pad_batches: bool | None = setting(
        None,
        "Fill the last batch of each pass over a client's rows up to the batch size, which changes"
        " results by rounding. By default a CPU does not, but in a run that was begun so; GPUs,"
        " TPUs and XLA always do.",
        neutral=True,
    )
    mixed_precision: bool = setting(
        False,
        "Multiply and convolve in bfloat16 in client training, on all but native; weights stay"
        " float32 (faster on GPUs with tensor cores, slower on most CPUs).",
    )
    soft_placement: bool = setting(False, "Let TensorFlow move an op to the CPU silently.")
    deterministic: bool = setting(True, "Use deterministic kernels where TensorFlow has them.")
    round_timeout: float = setting(
        3600.0, "Seconds after which a round on native or pjrt counts as stuck.", lower_bound=0.0
    )
    start_timeout: float = setting(
        60.0, "Seconds a worker of native or pjrt may take to start.", lower_bound=0.0
    )
    restarts: int = setting(
        2, "Restarts of a worker of native or pjrt in one round.", lower_bound=0
    )
    pjrt_python: str = setting(
        "", "Python with JAX for pjrt; empty: the one that `make pjrt`, `make pjrt-cuda` made."
    )
    runner: str = setting("", "Beam runner; empty: in this process (FnApiRunner).")
    runner_options: str = setting("", "Beam pipeline options, separated by spaces.")
    exchange: str = setting(
        "", "Folder that all Beam workers share; empty: a local temporary one.", url=True
    )
    fan_out: int = setting(16, "Updates that beam merges at once.", lower_bound=2)


DEFAULT = ExecutorOptions()
