"""Studies as files for schedulers, run by make, by bash with a stand-in for sbatch, by Python."""

import ast
import dataclasses
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from groundwork.errors import UserError
from pipelines.plan.steps import Input, Step
from pipelines.schedulers.export import ExportConfig, export
from pipelines.schedulers.listed_study import ListedStudy, waves

START = Step("pretrain/$HOME", "pretrain", "m", {}, "workdir")
RUNS = [
    Step(f"train/it's/{seed}", "train", "m", {"start": Input(START.step_id)}, "workdir")
    for seed in range(3)
]
# After its characters are made legal it has the name of the one before.
TWIN = Step("train/it?s\\#{% endraw %}/2", "train", "m", {}, "workdir")
REPORT = Step("report", "report", "m", {}, "output", tuple(run.step_id for run in RUNS))
STEPS = (START, *RUNS, TWIN, REPORT)
RECORDER = """#!/usr/bin/env python3
import json, os, sys
with open({record!r}, "a") as file:
    file.write(json.dumps([os.getcwd(), *sys.argv[1:]]) + "\\n")
sys.exit(1 if {failing!r} in sys.argv[-1] else 0)
"""
# Runs what it is given at once, element by element, as `sbatch --array` would.
SBATCH = """#!/usr/bin/env bash
set -u
array=0-0
while [[ $1 == -* ]]; do
  [[ $1 == --array=* ]] && array=${1#--array=}
  echo "$1" >> "$SEEN"
  shift
done
for ((i = ${array%-*}; i <= ${array#*-}; i++)); do SLURM_ARRAY_TASK_ID=$i bash "$@" >&2; done
echo "$((RANDOM));cluster"
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def study(tmp_path: Path) -> ListedStudy:
    folder = tmp_path / "it's a $folder #1 100% {{ x }}"
    folder.mkdir()
    flags = ("--plan=a `touch ran` plan\\#.yaml", f"--workdir={tmp_path}/w")
    return ListedStudy(
        "toy",
        'Say "why"\ntouch ran\\',
        "Does it\nmatter?",
        2,
        f"{tmp_path}/w",
        str(folder),
        flags,
        STEPS,
    )


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stand-in for Python notes what it was called with; one step fails."""
    record = tmp_path / "record"
    recorder = RECORDER.format(record=str(record), failing="train/it's/1")
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", recorder)))
    return record


def calls(record: Path, study: ListedStudy) -> list[str]:
    """The steps that were run, "" for the whole study; each with its flags, in its folder."""
    steps = []
    for line in record.read_text().splitlines():
        folder, *arguments = json.loads(line)
        assert folder == study.folder
        assert arguments[:4] == ["-m", "pipelines.study", *study.flags]
        steps.append("".join(arguments[4:]).removeprefix("--step="))
    return steps


def test_make_runs_inputs_first_and_the_study_last(study, record, tmp_path) -> None:
    export(study, ExportConfig("make", output=str(tmp_path / "study.mk")))
    command = ["make", "-k", "-s", "-f", str(tmp_path / "study.mk")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr  # A step failed, so the report waits.
    assert calls(record, study) == [step.step_id for step in STEPS[:-1]]


def test_slurm_runs_every_wave_and_after_a_failure_the_study(study, record, tmp_path) -> None:
    script = tmp_path / "study.sh"
    export(study, ExportConfig("slurm", output=str(script)))
    binaries = tmp_path / "bin"
    binaries.mkdir()
    program(binaries / "sbatch", SBATCH)
    seen = tmp_path / "seen"
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "SEEN": str(seen)}
    done = subprocess.run(
        ["bash", str(script), "--partition=gpu"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ran = calls(record, study)
    assert ran[:2] == [START.step_id, TWIN.step_id]  # the first wave
    assert ran[2:] == [*(run.step_id for run in RUNS), ""]
    options = seen.read_text()
    assert options.count("--partition=gpu") == 3
    assert options.count("--dependency=afterany:") == 2


def test_a_line_break_in_a_name_ends_no_comment_and_is_refused_by_make(
    study, record, tmp_path
) -> None:
    flags = (f"--plan=a\ntouch {tmp_path}/ran\n",)
    broken = ListedStudy(**{**vars(study), "flags": flags})
    with pytest.raises(UserError, match=r"--export=make: .* has a line break"):
        export(broken, ExportConfig("make"))
    script = export(broken, ExportConfig("slurm")).replace("mkdir ", "exit # ")
    subprocess.run(["bash", "-c", script], check=True, capture_output=True)
    assert not (tmp_path / "ran").exists()


def test_slurm_arrays_are_no_longer_than_slurm_takes(study) -> None:
    many = tuple(Step(f"train/{n}", "train", "m", {}, "workdir") for n in range(2001))
    text = export(ListedStudy(**{**vars(study), "steps": many}), ExportConfig("slurm"))
    assert text.count("--array=0-999 ") == 2
    assert text.count("--array=0-0 ") == 1


def test_names_are_legal_and_distinct_and_waves_follow_the_inputs(study) -> None:
    tasks = study.tasks()
    names = [task.name for task in tasks]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert [len(wave) for wave in waves(tasks)] == [2, 3]
    assert tasks[1].needs == (tasks[0].name,)


@pytest.mark.parametrize(
    "config",
    [
        ExportConfig("airflow", schedule="0 6 * * 1"),
        ExportConfig("airflow", image="registry:5000/a/b:1", volume="claim:/"),
        ExportConfig("kubeflow", image="a/b@sha256:" + "0" * 64, volume="claim:/"),
    ],
)
def test_files_for_python_schedulers_are_python_and_name_every_step(study, config) -> None:
    tree = ast.parse(export(study, config))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {step.step_id for step in STEPS[:-1]} | set(study.flags) <= texts | {
        flag for text in texts if isinstance(text, str) for flag in _split(text)
    }


def test_airflow_runs_what_is_meant_and_not_what_its_templates_make_of_it(study) -> None:
    tree = ast.parse(export(study, ExportConfig("airflow")))
    (literal,) = (node for node in tree.body if getattr(node, "name", "") == "literal")
    names: dict[str, Callable[[str], str]] = {}
    exec(compile(ast.Module([literal], []), "dag", "exec"), names)
    for text in (study.command(["python"]), "{{ conn }}{% endraw %}{# #}}", "a.sh {"):
        assert jinja2.Template(names["literal"](text)).render() == text


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ExportConfig(image="a"), "--image goes with --export"),
        (ExportConfig("slurm", image="a"), "--image is for --export=airflow and kubeflow"),
        (ExportConfig("make", schedule="@daily"), "--schedule is for --export=airflow"),
        (ExportConfig("kubeflow"), "--image"),
        (ExportConfig("airflow", image="No Image"), "not a name of an image"),
        (ExportConfig("airflow", image="a"), "--volume=CLAIM:/PATH"),
        (ExportConfig("airflow", image="a", volume="c:/elsewhere"), "not below /elsewhere"),
        (ExportConfig("airflow", schedule="every day"), "five cron fields"),
        (ExportConfig("make", output="/proc/none/study.mk"), "cannot be written"),
    ],
)
def test_what_a_scheduler_cannot_take_is_refused(study, config, words) -> None:
    with pytest.raises(UserError, match=words):
        export(study, config)


@pytest.mark.parametrize(
    ("intervals", "first", "form"),
    [
        (("2018-04", "2018-12"), "2019, 1, 1", "%Y-%m"),
        (("2018",), "2019, 1, 1", "%Y"),
        (("2020-02-28",), "2020, 2, 29", "%Y-%m-%d"),
    ],
)
def test_a_schedule_adds_the_interval_that_ended_to_a_growing_study(
    study, intervals, first, form
) -> None:
    growing = dataclasses.replace(study, intervals=intervals)
    text = export(growing, ExportConfig("airflow", schedule="@monthly"))
    ast.parse(text)
    assert f"start_date=datetime.datetime({first}, tzinfo" in text
    assert f"--interval={{{{ data_interval_start.strftime('{form}') }}}}" in text
    assert "--step" not in text
    assert "--step" in export(growing, ExportConfig("airflow"))
