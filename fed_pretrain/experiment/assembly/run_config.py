"""The frozen description of one run, its hash over what changes numbers, and its differences."""

import dataclasses
from typing import Any

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.clients.uneven_work import SystemConfig
from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions

STOP, DROP_CLIENT = "stop", "drop_client"
# Values of --exclude_clients that are no file.
AUTO, NONE = "auto", "none"


def _field(default: Any, help: str, **metadata: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


@dataclasses.dataclass(frozen=True)
class WorkConfig:
    """How much a client works in a round, and which clients take part. None: the task's default."""

    rounds: int | None = _field(None, "Federated rounds.", lower_bound=0)
    clients_per_round: int | None = _field(None, "Clients in a round.", lower_bound=1)
    sampling: str = _field(
        "uniform",
        "How a round's clients are drawn.",
        choices=("uniform", "weighted", "fixed", "all"),
    )
    batch_size: int | None = _field(None, "Examples in a local step.", lower_bound=1)
    epochs: int | None = _field(None, "Local passes over a client's examples.", lower_bound=0)
    local_steps: int | None = _field(
        None, "Exactly this many local steps instead of --epochs.", lower_bound=1
    )
    max_examples: int | None = _field(
        None, "A client's first so many examples only.", lower_bound=1
    )
    exclude_clients: str = _field(
        AUTO,
        "Clients left out of training and evaluation: a file with one id a line, a JSON list, or "
        "pretrain's start.ckpt.json; auto: the group that the start was pre-trained on, where it "
        "is of this dataset; none.",
    )


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is measured on held-out data, and how often."""

    eval_split: str = _field("test", "Split of the evaluation.")
    evaluate_every: int | None = _field(
        None,
        "Rounds between evaluations; round 0 and the last are always evaluated.",
        lower_bound=1,
    )
    eval_examples: int | None = _field(
        None, "Evaluate on so many examples, a fixed draw; default all.", lower_bound=1
    )
    eval_clients: bool = _field(
        False, "Also every client of the split by itself: mean, quantiles, worst decile."
    )
    eval_cohort: bool = _field(False, "Also the round's own clients on their training examples.")


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """Measurements of why a start helps, taken in rounds or after the run."""

    probes: str = _field(
        "alignment,distance",
        "Comma-separated probes of the run: alignment, distance, misalignment, drift, hessian.",
    )
    probe_every: int = _field(
        0, "Rounds between probes that cost a pass; 0 = at evaluations.", lower_bound=0
    )


@dataclasses.dataclass(frozen=True)
class LimitConfig:
    """When a run ends early; 0 is never."""

    target_accuracy: float = _field(
        0.0, "Stop at this evaluation accuracy.", lower_bound=0.0, upper_bound=1.0
    )
    patience: int = _field(0, "Stop after so many evaluations without a lower loss.", lower_bound=0)
    max_seconds: float = _field(0.0, "Stop after so many seconds.", lower_bound=0.0)


@dataclasses.dataclass(frozen=True)
class SavingConfig:
    checkpoint_every: int = _field(10, "Rounds between checkpoints.", lower_bound=1)
    keep_checkpoints: int = _field(
        3,
        "Newest checkpoints kept, beside round 0, the best and those probes need.",
        lower_bound=1,
    )
    tensorboard: bool = _field(True, "Write TensorBoard scalars and hyperparameters.")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything a run depends on; the work directory holds it as config.json.

    The algorithm is given by a usual name and the settings that differ from its defaults for the
    task and the start; `algorithm` is what they resolve to.
    """

    task: str
    workdir: str
    dataset: str | None = None
    model: str | None = None
    task_module: str | None = None
    seed: int = 0
    on_nonfinite: str = STOP
    algorithm_name: str | None = None
    algorithm_settings: tuple[tuple[str, Any], ...] = ()
    options: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    start: StartConfig = dataclasses.field(default_factory=StartConfig)
    algorithm: AlgorithmConfig | None = None
    system: SystemConfig = dataclasses.field(default_factory=SystemConfig)
    work: WorkConfig = dataclasses.field(default_factory=WorkConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    probes: ProbeConfig = dataclasses.field(default_factory=ProbeConfig)
    curvature: CurvatureConfig = dataclasses.field(default_factory=CurvatureConfig)
    limits: LimitConfig = dataclasses.field(default_factory=LimitConfig)
    saving: SavingConfig = dataclasses.field(default_factory=SavingConfig)
    executor: ExecutorOptions = dataclasses.field(default_factory=ExecutorOptions)


# What a resumed run may change: it moves no number of the rounds that are done.
_FREE_SECTIONS = ("executor", "saving", "limits", "probes", "curvature")
_FREE_FIELDS = ("workdir", "dataset", "task_module", "algorithm_name", "algorithm_settings")


def identity(
    config: RunConfig,
    dataset_fingerprint: str,
    start_digest: str,
    excluded_digest: str | None = None,
) -> dict[str, Any]:
    """What changes numbers: the config without paths, executor, probes and verbosity.

    The dataset counts by its content, the start by its weights and the clients left out by their
    ids. Where a round runs changes no more than rounding, but half precision does. `rounds` may
    grow unless a schedule spans the run.
    """
    assert config.algorithm is not None
    values = dataclasses.asdict(config)
    for name in (*_FREE_SECTIONS, *_FREE_FIELDS):
        del values[name]
    if not spans_run(config.algorithm):
        del values["work"]["rounds"]
        del values["algorithm"]["rounds"]
    del values["options"]["cache_megabytes"]
    values["start"] = start_digest
    values["dataset"] = dataset_fingerprint
    values["work"]["exclude_clients"] = excluded_digest
    values["mixed_precision"] = config.executor.mixed_precision
    return values


def spans_run(algorithm: AlgorithmConfig) -> bool:
    """Whether a schedule depends on the total number of rounds."""
    cosine = "cosine" in (algorithm.client_schedule, algorithm.server_schedule)
    return (cosine and not algorithm.schedule_rounds) or algorithm.local_steps_schedule == "linear"
