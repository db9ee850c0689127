"""The flags of a run, shared by the binaries that train or look at a run, and their config."""

from collections.abc import Mapping, Sequence

from absl import flags

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from fed_pretrain.clients.uneven_work import SystemConfig
from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.assembly.run_config import (
    DROP_CLIENT,
    STOP,
    EvaluationConfig,
    LimitConfig,
    ProbeConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tracking import known_trackers
from fed_pretrain.tracking.tracker import TrackingConfig
from groundwork import command_line, plugins, settings
from groundwork.errors import UserError
from groundwork.untyped import Json

_RUN = "Run"
SECTIONS: tuple[tuple[str, type, str], ...] = (
    ("start", StartConfig, "Start"),
    ("algorithm", AlgorithmConfig, "Algorithm"),
    ("work", WorkConfig, "Rounds and clients"),
    ("system", SystemConfig, "System heterogeneity"),
    ("evaluation", EvaluationConfig, "Evaluation"),
    ("probes", ProbeConfig, "Probes"),
    ("curvature", CurvatureConfig, "Curvature"),
    ("limits", LimitConfig, "Early end"),
    ("options", TaskOptions, "Task options"),
    ("executor", ExecutorOptions, "Executor"),
    ("saving", SavingConfig, "Saving"),
    ("tracking", TrackingConfig, "Trackers"),
)


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines every flag of a run; call once a process, from a binary."""
    texts = (
        ("task", "The task; `help` lists them."),
        ("model", "The task's model; default is its first."),
        ("dataset", "A prepared dataset; embedded tasks prepare their own."),
        ("workdir", "The run's folder; the same command continues a run."),
        ("algorithm", "A usual algorithm by name; `help` lists them. Other flags refine it."),
    )
    for name, text in texts:
        command_line.group_flag(name, _RUN)
        flags.DEFINE_string(name, None, text, flag_values=values)
    command_line.take_urls("dataset", "workdir")
    command_line.define_plugin_flag(values)
    command_line.group_flag("seed", _RUN)
    flags.DEFINE_integer("seed", 0, "Decides every random choice of the run.", flag_values=values)
    command_line.group_flag("on_nonfinite", _RUN)
    flags.DEFINE_enum(
        "on_nonfinite",
        STOP,
        [STOP, DROP_CLIENT],
        "What a NaN or Inf in a client's update does.",
        flag_values=values,
    )
    for _, config, heading in SECTIONS:
        settings.define(config, heading, values)


def names(values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Names of the flags of a run."""
    own = ["task", "model", "dataset", "algorithm", plugins.FLAG, "seed", "on_nonfinite"]
    return own + [name for _, config, _ in SECTIONS for name in settings.flag_names(config)]


def run_config(
    values: flags.FlagValues = flags.FLAGS, required: Sequence[str] = ("task", "workdir")
) -> RunConfig:
    """The config these flags describe; contradictions are refused here."""
    for name in required:
        if not values[name].value:
            raise UserError(f"--{name} is missing")
    if values["task"].value:
        known_tasks.check_model(known_tasks.get(values["task"].value), values["model"].value)
    sections: dict[str, Json] = {
        key: settings.build(config, values) for key, config, _ in SECTIONS if key != "algorithm"
    }
    known_trackers.check(sections["tracking"])
    if values["local_steps"].present and values["epochs"].present:
        raise UserError("--local_steps and --epochs contradict each other: give one of them")
    if values["sampling"].value == "all" and values["clients_per_round"].present:
        raise UserError("--sampling=all takes every client: leave out --clients_per_round")
    return RunConfig(
        task=values["task"].value,
        workdir=values["workdir"].value,
        dataset=values["dataset"].value,
        model=values["model"].value,
        plugins=command_line.plugins_given(values),
        seed=values["seed"].value,
        on_nonfinite=values["on_nonfinite"].value,
        algorithm_name=values["algorithm"].value,
        algorithm_settings=_given_algorithm(values),
        **sections,
    )


def _given_algorithm(values: flags.FlagValues) -> tuple[tuple[str, Json], ...]:
    """What the user set of the algorithm; the rest follows from name, task and start."""
    given: Mapping[str, Json] = settings.given(AlgorithmConfig, values)
    return tuple(sorted(given.items()))


def print_help_tables(values: flags.FlagValues = flags.FLAGS) -> bool:
    """`--task=help` and the like; true when a table was printed."""
    if values["task"].value == "help":
        from fed_pretrain.tasks import known_tasks

        print(known_tasks.describe())
        return True
    if values["algorithm"].value == "help":
        print(known_algorithms.describe())
        return True
    if values["client_update"].value == "help":
        print(known_algorithms.describe_client_updates())
        return True
    if values["server_optimizer"].value == "help":
        print(known_algorithms.describe_server_optimizers())
        return True
    return False
