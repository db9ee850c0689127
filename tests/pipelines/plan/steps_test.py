"""The key of a step follows the content of what it reads, not names and times."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from data_prep.store import manifest
from groundwork import versions
from pipelines.plan import steps
from pipelines.plan.steps import Step
from tests.data_prep.store.small_dataset import prepared_digits


def key_of(**flags: str) -> str:
    return steps.key(Step("cell", "train", "fed_pretrain.train", flags, "workdir"), {})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_digits(tmp_path_factory.mktemp("steps")).path


def test_a_dataset_made_again_changes_no_key_and_another_in_its_place_does(dataset: Path) -> None:
    before = key_of(dataset=str(dataset))
    held = manifest.read(dataset)
    again = dataclasses.replace(held, created=manifest.now_with_check("x", {}), command="x")
    manifest.write(dataset, dataclasses.replace(again, versions={}))
    assert key_of(dataset=str(dataset)) == before
    manifest.write(dataset, dataclasses.replace(held, request="another"))
    assert key_of(dataset=str(dataset)) != before


@pytest.mark.parametrize(("flag", "prefix"), [("input", ""), ("start", "checkpoint:")])
def test_a_file_written_anew_changes_the_key(flag: str, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    before = key_of(**{flag: f"{prefix}{file}"})
    assert key_of(**{flag: f"{prefix}{file}"}) == before
    os.utime(file, ns=(1, 1))
    assert key_of(**{flag: f"{prefix}{file}"}) != before


def test_the_record_of_a_step_names_the_versions_that_made_it(tmp_path: Path) -> None:
    (tmp_path / "SUCCESS").write_text("{}")
    step = Step("cell", "train", "fed_pretrain.train", {}, "workdir")
    steps.write_record(tmp_path, step, "key", 1.0, 1.0)
    assert json.loads((tmp_path / steps.RECORD).read_text())["versions"] == versions.current()
