"""Every checked-in setting parses, resolves to an algorithm, and says how to run it."""

import pathlib
import shlex

import pytest
from absl import flags

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.experiment.assembly import run_flags
from fed_pretrain.models import known_models
from fed_pretrain.tasks import known_tasks

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "fed_pretrain" / "configs").glob("*.flags"))


@pytest.fixture(scope="module")
def values():
    made = flags.FlagValues()
    run_flags.define(made)
    flags.DEFINE_list("flagfile", "", "Files of flags.", flag_values=made)
    return made


def heading(path):
    """The comment lines on top, as one text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line[2:] for line in lines if line.startswith("# "))


def command_of(path):
    joined = heading(path).replace("\\\n", " ")
    return shlex.split(joined.splitlines()[0])


def test_there_are_settings_of_the_papers_and_an_embedded_one():
    names = {path.stem for path in FILES}
    assert {"cifar10_fedadam_pretrained", "mnist5k_fedadam_pretrained"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_on_top_of_a_setting_describes_a_run(path, values, monkeypatch):
    monkeypatch.chdir(ROOT)
    program = command_of(path)
    assert program[:3] == ["python", "-m", "fed_pretrain.train"]
    assert f"--flagfile=fed_pretrain/configs/{path.name}" in program
    values.unparse_flags()
    assert values(program[2:]) == program[2:3]
    config = run_flags.run_config(values)
    assert config.task in known_tasks.names()
    assert config.model is None or config.model in known_models.names()
    resolved = known_algorithms.resolve(
        config.algorithm_name, config.task, config.start.spec, dict(config.algorithm_settings)
    )
    for name, value in config.algorithm_settings:
        assert getattr(resolved, name) == value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_setting_tells_what_it_needs_and_what_to_expect(path):
    assert "\nNeeds: " in heading(path)
    assert "\nExpect: " in heading(path)
