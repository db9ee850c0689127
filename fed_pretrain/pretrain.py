"""Pre-trains a model centrally on proxy data; the result is a start for federated training."""

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from fed_pretrain.pretraining.pretrain_config import CentralConfig  # noqa: E402
from fed_pretrain.starts.start_config import StartConfig  # noqa: E402
from fed_pretrain.tasks import known_tasks  # noqa: E402
from fed_pretrain.tasks.definition import TaskOptions  # noqa: E402
from groundwork import settings  # noqa: E402
from groundwork.errors import UserError  # noqa: E402
from groundwork.stores import mirror  # noqa: E402

flags.DEFINE_string("task", None, "The task whose model is trained; --task=help lists them.")
flags.DEFINE_string("model", None, "The task's model; default its first.")
flags.DEFINE_string("dataset", None, "Folder of the proxy dataset; default the task's embedded.")
flags.DEFINE_string("workdir", None, "Folder of the training; the same command continues it.")
flags.DEFINE_integer("seed", 0, "Seed of every random choice.")
flags.DEFINE_string("devices", "CPU", "Where to train: CPU, GPU, or one such as GPU:1.")
for _name in ("task", "model", "dataset", "workdir", "seed", "devices"):
    command_line.group_flag(_name, "Pre-training")
command_line.take_urls("dataset", "workdir")
command_line.define_plugin_flag()
settings.define(CentralConfig, "Central training")
settings.define(StartConfig, "Start")
settings.define(TaskOptions, "Task")


def main() -> int | None:
    values = flags.FLAGS
    if values.task == "help":
        print(known_tasks.describe())
        return 0
    for name in ("task", "workdir"):
        if not values[name].value:
            raise UserError(f"--{name} is missing")
    known_tasks.check_model(known_tasks.get(values.task), values.model)
    from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain

    result = pretrain(
        PretrainConfig(
            task=values.task,
            workdir=values.workdir,
            dataset=values.dataset,
            model=values.model,
            plugins=command_line.plugins_given(),
            seed=values.seed,
            devices=values.devices,
            options=settings.build(TaskOptions),
            start=settings.build(StartConfig),
            central=settings.build(CentralConfig),
        )
    )
    path = mirror.address(result.path)
    print(f"start: --start=checkpoint:{path}")
    command_line.suggest(
        "fed_pretrain.train",
        task=values.task,
        model=values.model,
        start=f"checkpoint:{path}",
        workdir=f"runs/{values.task}",
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
