"""A process that parses command lines of one binary as the binary would, and runs nothing.

`python -m pipelines.execution.flag_parsing MODULE` reads a JSON list from its standard input, of
arguments and whether they are a whole command line, and prints a JSON list: a mistake, or null,
for each. Two binaries define flags
of the same name, so a process holds only one of them. It imports no TensorFlow.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError, nearest
from pipelines.execution import worker

if TYPE_CHECKING:
    from fed_pretrain.starts.start_config import StartConfig
    from fed_pretrain.tasks.definition import TaskOptions

# They make a binary do something else than its work.
_NOT_OF_A_STEP = ("dry_run", "list_sources")


def mistakes(module: str, command_lines: Sequence[tuple[Sequence[str], bool]]) -> list[str | None]:
    return [_mistake(module, arguments, whole) for arguments, whole in command_lines]


def _mistake(module: str, arguments: Sequence[str], whole: bool) -> str | None:
    try:
        worker.parse(module, ())
        _refuse_unknown(arguments)
        worker.parse(module, arguments)
        if whole:
            _CHECKS.get(module, _nothing)()
    except UserError as error:
        return str(error)
    return None


def _refuse_unknown(arguments: Sequence[str]) -> None:
    known = list(_flags_of_a_step())
    for argument in arguments:
        name = argument.removeprefix("--").partition("=")[0]
        if name not in known:
            raise UserError(f"no flag is named {name!r}{nearest(name, known)}")


def _flags_of_a_step() -> Iterator[str]:
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if not module.startswith("absl"):
            yield from (flag.name for flag in defined if flag.name not in _NOT_OF_A_STEP)


def _nothing() -> None:
    pass


def _check_preparation() -> None:
    from data_prep.preparing import request
    from data_prep.sources import known_sources
    from groundwork import settings as config_flags

    config = config_flags.build(request.PrepareConfig)
    if not config.source or not known_sources.get(config.source).needs_input:
        request.open_source(config)
        return
    # All that needs no data is checked before the input is missed, and the input comes later.
    try:
        request.open_source(dataclasses.replace(config, input=""))
    except UserError as error:
        if not config.input or "--input is missing" not in str(error):
            raise


def _check_pretraining() -> None:
    from fed_pretrain.pretraining.pretrain_config import CentralConfig
    from fed_pretrain.starts.start_config import StartConfig
    from fed_pretrain.tasks.definition import TaskOptions
    from groundwork import settings as config_flags

    values = flags.FLAGS
    config_flags.build(CentralConfig)
    _check_task(values.task, values.model)
    _check_names(config_flags.build(StartConfig), config_flags.build(TaskOptions), values.devices)


def _check_run() -> None:
    from fed_pretrain.algorithms import known_algorithms
    from fed_pretrain.experiment.assembly import run_flags
    from fed_pretrain.probes import known_probes

    config = run_flags.run_config()
    _check_names(config.start, config.options, config.executor.devices)
    known_probes.of_a_run(config.probes.probes)
    settings = dict(config.algorithm_settings)
    resolved = known_algorithms.resolve(
        config.algorithm_name, config.task, config.start.spec, settings
    )
    # How many clients there are is known once the data is: any number does for now.
    wanted = config.work.clients_per_round or 1
    known_algorithms.check(
        resolved.of_run(
            clients_per_round=wanted,
            sampling=config.work.sampling,
            population=2 * wanted,
            population_rows=2 * wanted,
        )
    )


def _check_analysis() -> None:
    from fed_pretrain.experiment.assembly import run_flags
    from fed_pretrain.probes import known_probes
    from groundwork import settings

    of_run = bool(flags.FLAGS.run)
    config = run_flags.run_config(required=() if of_run else ("task", "workdir"))
    if flags.FLAGS["probes"].present:
        models = ("run", "other_run", "third_run")
        given = [name for name in models if flags.FLAGS[name].value]
        known_probes.of_an_analysis(config.probes.probes, given)
    for options in known_probes.options():
        settings.build(options)
    _check_names(config.start, config.options, config.executor.devices)


def _check_task(name: str, model: str | None) -> None:
    from fed_pretrain.tasks import known_tasks

    known_tasks.check_model(known_tasks.get(name), model)


def _check_names(start: "StartConfig", options: "TaskOptions", devices: str) -> None:
    """What a start, a preprocessing and a device may be called, whether they are there or not."""
    from fed_pretrain.executors.device import placement
    from fed_pretrain.models import preprocessing
    from fed_pretrain.starts import quality
    from fed_pretrain.starts.origins import origin

    origin.check(start.spec)
    try:
        if start.blend is not None:
            origin.check(quality.parse_blend(start.blend)[0])
    except UserError as error:
        raise UserError(f"--start_blend={start.blend}: {error}") from error
    try:
        if options.preprocessing is not None:
            preprocessing.check(options.preprocessing)
    except ValueError as error:
        raise UserError(f"--preprocessing={options.preprocessing}: {error}") from error
    placement.parse(devices)


_CHECKS: Mapping[str, Callable[[], None]] = {
    "data_prep.prepare": _check_preparation,
    "fed_pretrain.pretrain": _check_pretraining,
    "fed_pretrain.train": _check_run,
    "pipelines.tune": _check_run,
    "fed_pretrain.analyze": _check_analysis,
}


if __name__ == "__main__":
    command_line.quiet_libraries()
    print(json.dumps(mistakes(sys.argv[1], json.load(sys.stdin))))
