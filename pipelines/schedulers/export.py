"""A study as a file that a scheduler takes: an Airflow DAG, a Slurm script, a makefile, ..."""

from __future__ import annotations

import datetime
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import jinja2

from data_prep.sources import interval
from groundwork import files
from groundwork.errors import UserError
from groundwork.settings import setting
from pipelines.schedulers.listed_study import ListedStudy, waves


@dataclass(frozen=True)
class Scheduler:
    """`template` beside this file writes the study; `options` are those of ExportConfig it has."""

    name: str
    help: str
    template: str
    options: tuple[str, ...] = ()
    needs_image: bool = False


SCHEDULERS = (
    Scheduler(
        "airflow",
        "a DAG file for Airflow 3",
        "airflow_dag.py.j2",
        ("image", "volume", "schedule", "pool"),
    ),
    Scheduler("slurm", "a script that submits job arrays", "slurm.sh.j2"),
    Scheduler(
        "kubeflow",
        "a Kubeflow pipeline in Python, which kfp compiles",
        "kubeflow_pipeline.py.j2",
        ("image", "volume"),
        needs_image=True,
    ),
    Scheduler("make", "a makefile", "make.mk.j2"),
)
# As reference grammars of registries have it: [host[:port]/]path[:tag][@digest].
_IMAGE = re.compile(
    r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_CLAIM = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_CRON_FIELD = r"[\d*/,\-A-Za-z#?]+"
_SCHEDULE = re.compile(
    r"@(once|continuous|hourly|daily|weekly|monthly|quarterly|yearly)"
    rf"|{_CRON_FIELD}( {_CRON_FIELD}){{4}}"
)
_OPTIONS = ("output", "image", "volume", "schedule", "pool")
_ARRAY_SIZE = 1000  # Slurm refuses an index above its MaxArraySize, which is 1001 by default.


@dataclass(frozen=True)
class ExportConfig:
    export: str | None = setting(
        None,
        "Write the study as a file for a scheduler and run nothing"
        f" ({'; '.join(f'{scheduler.name}: {scheduler.help}' for scheduler in SCHEDULERS)}).",
        choices=[scheduler.name for scheduler in SCHEDULERS],
    )
    output: str = setting("", "File that --export writes; standard output if not given.")
    image: str = setting("", "With --export: container image that runs the steps.")
    volume: str = setting(
        "",
        "With --image: CLAIM:/PATH, the persistent volume claim that holds the study's work"
        " directory, and where it is mounted.",
    )
    schedule: str = setting(
        "",
        "With --export: when to run, as five cron fields or @daily; each run of a plan with"
        " `intervals` adds the one that just ended.",
    )
    pool: str = setting("", "With --export: the pool of workers (or devices) that steps take.")


def asked(config: ExportConfig) -> bool:
    """Whether any of the flags was given."""
    return config != ExportConfig()


def export(study: ListedStudy, config: ExportConfig) -> str:
    """The text for the scheduler; also written to `config.output` if that is given."""
    scheduler = _checked(config)
    claim, _, mount = config.volume.partition(":")
    if config.image:
        _check_mount(study, claim, mount)
    if scheduler.name == "make":
        _check_lines(study)
    text = _template(scheduler.template).render(
        study=study,
        tasks=study.tasks(),
        waves=_arrays(study),
        command=study.command([sys.executable, "-m", "pipelines.study"]),
        written_by=f"{study.command(['python', '-m', 'pipelines.study'])} --export={config.export}",
        config=config,
        claim=claim,
        mount=mount,
        growing=_growing(study) if config.schedule and study.intervals else None,
    )
    if config.output:
        try:
            Path(config.output).parent.mkdir(parents=True, exist_ok=True)
            files.write_text(Path(config.output), text)
        except OSError as error:
            raise UserError(
                f"--output={config.output}: cannot be written ({error.strerror})"
            ) from error
    return text


def _checked(config: ExportConfig) -> Scheduler:
    scheduler = next((s for s in SCHEDULERS if s.name == config.export), None)
    given = [name for name in _OPTIONS if getattr(config, name)]
    if scheduler is None:
        raise UserError(f"--{given[0]} goes with --export")
    for option in given:
        if option != "output" and option not in scheduler.options:
            having = [s.name for s in SCHEDULERS if option in s.options]
            raise UserError(
                f"--{option} is for --export={' and '.join(having)}, not for {scheduler.name}"
            )
    if scheduler.needs_image and not config.image:
        raise UserError(f"--export={scheduler.name} runs containers: name their image with --image")
    if config.image and not _IMAGE.fullmatch(config.image):
        raise UserError(
            f"--image={config.image} is not a name of an image: [HOST[:PORT]/]NAME[:TAG][@DIGEST]"
        )
    if config.schedule and not _SCHEDULE.fullmatch(config.schedule):
        raise UserError(
            f"--schedule={config.schedule}: give five cron fields ('0 6 * * 1') or @daily,"
            " @weekly, @monthly, ..."
        )
    return scheduler


def _check_mount(study: ListedStudy, claim: str, mount: str) -> None:
    """A container sees the study's folder only on a volume."""
    if not _CLAIM.fullmatch(claim) or not mount.startswith("/"):
        raise UserError(
            "--image needs --volume=CLAIM:/PATH: the persistent volume claim that holds the"
            " study's work directory, and where it is mounted"
        )
    if not PurePosixPath(study.workdir).is_relative_to(mount):
        raise UserError(
            f"--workdir={study.workdir} is not below {mount}, where --volume is mounted:"
            " the containers could not reach it"
        )


def _check_lines(study: ListedStudy) -> None:
    for word in (study.folder, *study.flags, *(step.step_id for step in study.steps)):
        if "\n" in word:
            raise UserError(
                f"--export=make: {word!r} has a line break, which no makefile can hold; rename it"
            )


@dataclass(frozen=True)
class _Growing:
    """The first day of what a schedule adds; `form` names an interval, as strftime does."""

    first: datetime.datetime
    form: str


def _growing(study: ListedStudy) -> _Growing:
    last = study.intervals[-1]
    end = datetime.datetime.fromtimestamp(interval.bounds(last)[1], datetime.UTC)
    return _Growing(end, "-".join(("%Y", "%m", "%d")[: last.count("-") + 1]))


def _arrays(study: ListedStudy) -> list[list[str]]:
    """The steps of each wave, in arrays no longer than Slurm takes."""
    return [
        [task.step_id for task in wave[start : start + _ARRAY_SIZE]]
        for wave in waves(study.tasks())
        for start in range(0, len(wave), _ARRAY_SIZE)
    ]


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "python": repr,
        "shell": shlex.quote,
        "words": shlex.join,
        "comment": _one_line,
        "docstring": lambda text: text.replace("\\", "\\\\").replace('"', '\\"'),
        "escaped": _in_a_makefile,
    }
    environment.filters.update(filters)
    path = Path(__file__).with_name(name)
    return environment.from_string(path.read_text(encoding="utf-8"))


def _in_a_makefile(command: str) -> str:
    """Make knows no quotes: a dollar and a number sign mean something to it everywhere."""
    return re.sub(r"(\\*)#", r"\1\1\\#", command.replace("$", "$$"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
