"""What a notebook imports: light until it is used, and the same run as the binary's."""

import ast
import pathlib
import subprocess
import sys

import pytest

import fed_pretrain
from fed_pretrain.experiment.assembly import run_config
from fed_pretrain.starts.start_config import StartConfig


def test_importing_the_package_loads_nothing_heavy():
    heavy = {"tensorflow", "numpy", "jax", "matplotlib"}
    code = f"import sys, fed_pretrain; print(sorted({heavy!r} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_command_of_the_same_name_leaves_train_the_function():
    code = (
        "import fed_pretrain.train, sys;"
        "print(type(fed_pretrain.train), 'fed_pretrain.train' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "<class 'function'> True"


def test_every_public_name_is_typed_for_editors():
    tree = ast.parse(pathlib.Path(fed_pretrain.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.name: one.module.removeprefix("fed_pretrain.")
        for one in block.body
        for alias in one.names
    }
    assert typed == fed_pretrain._HOMES


def test_the_configs_of_a_run_are_at_the_top():
    assert fed_pretrain.RunConfig is run_config.RunConfig
    assert fed_pretrain.StartConfig is StartConfig
    for name in fed_pretrain.__all__:
        assert getattr(fed_pretrain, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = fed_pretrain.Nothing


def test_train_continues_a_finished_run_by_saying_so(digits_run):
    from tests.fed_pretrain.experiment.small_runs import small

    result = fed_pretrain.train(small(digits_run))
    assert result.finished
    assert result.reason == "finished before"
