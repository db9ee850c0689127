"""One table says what an executor is called, what it is and what it refuses."""

import dataclasses
import importlib

import pytest
from absl import flags

from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.known_executors import DEFAULT_NAME, EXECUTORS
from groundwork import settings


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_row_names_the_class_of_its_name(name: str) -> None:
    known = EXECUTORS[name]
    found = getattr(importlib.import_module(known.module), known.class_name)
    assert issubclass(found, Executor)
    assert found.name == name
    assert set(known.refuses) <= {field.name for field in dataclasses.fields(ExecutorOptions)}


def test_the_flag_offers_what_the_table_holds_and_explains_it() -> None:
    values = flags.FlagValues()
    settings.define(ExecutorOptions, "Executor", values)
    flag = values["executor"]
    assert list(flag.parser.enum_values) == list(EXECUTORS)
    assert flag.default == DEFAULT_NAME
    assert all(known.help in flag.help for known in EXECUTORS.values())
