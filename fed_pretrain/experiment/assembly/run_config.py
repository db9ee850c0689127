"""The frozen description of one run, its hash over what changes numbers, and its differences."""

import dataclasses
from collections.abc import Mapping

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig, ResolvedAlgorithm
from fed_pretrain.clients import sampling
from fed_pretrain.clients.uneven_work import SystemConfig
from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.probes import known_probes
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import own_model
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tracking.tracker import TrackingConfig
from groundwork import settings
from groundwork.settings import setting
from groundwork.untyped import Json

STOP, DROP_CLIENT = "stop", "drop_client"
# Values of --exclude_clients that are not files, and what turns a file round.
AUTO, NONE, ALL_BUT = "auto", "none", "all_but:"
# When the features of a frozen body are computed once.
AUTO_CACHE, ALWAYS, NEVER = "auto", "always", "never"
# Of a field: a resumed run may change it, for it moves no number of the rounds that are done.
_FREE = {"moves_numbers": False}


@dataclasses.dataclass(frozen=True)
class WorkConfig:
    """How much a client works in a round, and which clients take part. None: the task's default."""

    rounds: int | None = setting(
        None, "Federated rounds.", lower_bound=0, upper_bound=1_000_000_000
    )
    clients_per_round: int | None = setting(None, "Clients in a round.", lower_bound=1)
    sampling: str = setting(
        "uniform",
        "How a round's clients are drawn; poisson: each by itself, --clients_per_round on average; "
        "in_turn: everyone once before anyone again.",
        choices=sampling.WAYS,
    )
    batch_size: int | None = setting(None, "Examples in a local step.", lower_bound=1)
    epochs: int | None = setting(None, "Local passes over a client's examples.", lower_bound=0)
    local_steps: int | None = setting(
        None, "Exactly this many local steps instead of --epochs.", lower_bound=1
    )
    max_examples: int | None = setting(
        None, "At most this many examples of a client, its first ones.", lower_bound=1
    )
    feature_cache: str = setting(
        AUTO_CACHE,
        "Whether what a frozen body gives for an example is computed once and kept: auto, where it "
        "is the same in every round; always, without the body's dropout; never.",
        choices=(AUTO_CACHE, ALWAYS, NEVER),
    )
    exclude_clients: str = setting(
        AUTO,
        url=True,
        moves_numbers=False,  # who is left out counts, not how they were named
        help="Clients left out of training and evaluation: a file with one id a line, a JSON list, "
        "or pretrain's start.ckpt.json; all_but:FILE leaves out all others; auto: the group that "
        "the start was pre-trained on, if it is of this dataset; none.",
    )


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is measured on held-out data, and how often."""

    eval_split: str = setting("test", "Split of the evaluation.")
    evaluate_every: int | None = setting(
        None,
        "Rounds between evaluations; round 0 and the last are always evaluated.",
        lower_bound=1,
    )
    eval_examples: int | None = setting(
        None, "Evaluate on this many examples, a fixed draw; default all.", lower_bound=1
    )
    eval_clients: bool = setting(
        False, "Also every client of the split by itself: mean, quantiles, worst decile."
    )
    eval_cohort: bool = setting(False, "Also the round's own clients on their training examples.")


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """Measurements of why a start helps, taken in rounds or after the run."""

    probes: str = setting(
        "distance",
        f"Comma-separated probes of the run: {', '.join(known_probes.in_rounds())}.",
        neutral="alignment,distance",
    )
    probe_every: int = setting(
        0, "Rounds between probes that cost a pass; 0 = at evaluations.", lower_bound=0
    )


@dataclasses.dataclass(frozen=True)
class LimitConfig:
    """When a run ends early; 0 is never."""

    target_accuracy: float = setting(
        0.0, "Stop at this evaluation accuracy.", lower_bound=0.0, upper_bound=1.0
    )
    patience: int = setting(
        0, "Stop after this many evaluations without a better accuracy.", lower_bound=0
    )
    max_seconds: float = setting(0.0, "Stop after this many seconds.", lower_bound=0.0)


@dataclasses.dataclass(frozen=True)
class SavingConfig:
    checkpoint_every: int = setting(10, "Rounds between checkpoints.", lower_bound=1)
    keep_checkpoints: int = setting(
        3, "Newest checkpoints kept, beside round 0, the best and those probes need.", lower_bound=1
    )
    tensorboard: bool = setting(True, "Write TensorBoard scalars and hyperparameters.")
    profile: tuple[int, ...] = setting(
        (), "Rounds that TensorBoard shall show a profile of (native and beam: without workers)."
    )
    strict: bool = setting(
        False, "Refuse to continue a run that other versions of the code or its libraries made."
    )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A run as it is asked for; None is the default of the task.

    The algorithm is given by a usual name and the settings that differ from its defaults for the
    task and the start; `algorithm` is what they resolve to.
    """

    task: str
    workdir: str = dataclasses.field(metadata=_FREE)
    dataset: str | None = dataclasses.field(default=None, metadata=_FREE)
    model: str | None = None
    plugins: tuple[str, ...] = dataclasses.field(default=(), metadata=_FREE)
    seed: int = 0
    on_nonfinite: str = STOP
    algorithm_name: str | None = dataclasses.field(default=None, metadata=_FREE)
    algorithm_settings: tuple[tuple[str, Json], ...] = dataclasses.field(default=(), metadata=_FREE)
    options: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    start: StartConfig = dataclasses.field(default_factory=StartConfig)
    algorithm: AlgorithmConfig | None = None
    system: SystemConfig = dataclasses.field(default_factory=SystemConfig)
    work: WorkConfig = dataclasses.field(default_factory=WorkConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    probes: ProbeConfig = dataclasses.field(default_factory=ProbeConfig, metadata=_FREE)
    curvature: CurvatureConfig = dataclasses.field(default_factory=CurvatureConfig, metadata=_FREE)
    limits: LimitConfig = dataclasses.field(default_factory=LimitConfig, metadata=_FREE)
    saving: SavingConfig = dataclasses.field(default_factory=SavingConfig, metadata=_FREE)
    tracking: TrackingConfig = dataclasses.field(default_factory=TrackingConfig, metadata=_FREE)
    executor: ExecutorOptions = dataclasses.field(default_factory=ExecutorOptions, metadata=_FREE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedWork(WorkConfig):
    """The work with the task's defaults in."""

    rounds: int
    clients_per_round: int
    batch_size: int
    epochs: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedEvaluation(EvaluationConfig):
    """The evaluation with the task's defaults in."""

    evaluate_every: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedRun(RunConfig):
    """A run with every default filled in: what trains, and what config.json holds."""

    algorithm: ResolvedAlgorithm
    work: ResolvedWork
    evaluation: ResolvedEvaluation


def identity(
    config: ResolvedRun,
    dataset_fingerprint: str,
    start_digest: str,
    excluded_digest: str | None = None,
) -> dict[str, Json]:
    """What changes numbers and is not neutral: no paths, executor, probes or verbosity.

    The dataset counts by its content, the start by its weights and the clients left out by their
    ids. Where a round runs changes no more than rounding, but half precision does. `rounds` may
    grow unless a schedule spans the run.
    """
    values = settings.moving(config)
    if not spans_run(config.algorithm):
        for section in ("work", "algorithm"):
            values.get(section, {}).pop("rounds", None)
    values |= {"start": start_digest, "dataset": dataset_fingerprint}
    if own_model.is_own(config.model):
        values["model"] = own_model.label(str(config.model))
    if excluded_digest is not None:
        values["work"]["exclude_clients"] = excluded_digest
    if config.executor.mixed_precision:
        values["mixed_precision"] = True
    return values


def identity_on_disk(saved: Mapping[str, Json]) -> dict[str, Json]:
    """The identity that a config.json holds, without what is neutral now.

    Format 1 listed every setting, and null for no client left out.
    """
    values = dict(saved.get("identity", {}))
    own = {name: values.pop(name, None) for name in ("start", "dataset", "mixed_precision")}
    left_out = values.get("work", {}).get("exclude_clients")
    values = settings.without_neutral(ResolvedRun, values)
    values |= {name: value for name, value in own.items() if value}
    if left_out is not None:
        values["work"]["exclude_clients"] = left_out
    return values


def spans_run(algorithm: AlgorithmConfig) -> bool:
    """Whether a schedule depends on the total number of rounds."""
    to_the_end = algorithm.follows_cosine and not algorithm.schedule_rounds
    return to_the_end or algorithm.local_steps_schedule == "linear"
