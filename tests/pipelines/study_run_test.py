"""How many cells run at once, and what a study says before it begins."""

import os

import pytest

from pipelines import study_run
from pipelines.plan.steps import Step


def train(**flags):
    return Step("train/a", "train", "fed_pretrain.train", flags, "workdir")


@pytest.mark.parametrize(
    ("flags", "cores", "cells"),
    [
        ({"task": "mnist5k", "model": "edge_cnn"}, 2, 2),
        ({"task": "digits"}, 4, 4),
        ({"task": "chitchat", "model": "char_cnn"}, 2, 2),
        ({"task": "chitchat"}, 2, 1),
        ({"task": "digits", "model": "keras:MobileNetV2"}, 4, 2),
        ({"task": "digits", "model": "emnist_cnn"}, 1, 1),
    ],
)
def test_a_run_of_a_small_model_is_given_one_core_and_another_two(monkeypatch, flags, cores, cells):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(os, "sysconf", lambda name: 1 << 20)
    assert study_run.room_for_cells([train(**flags)]) == cells


def test_one_large_model_among_small_ones_decides(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sysconf", lambda name: 1 << 20)
    steps = [train(task="digits"), train(task="digits", model="emnist_cnn")]
    assert study_run.room_for_cells(steps) == 2


def test_a_partition_that_takes_part_in_less_is_described_by_itself(tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "{name: a, title: A, question: Why, settings: {rounds: 1}, seeds: [0, 1], tasks: {d: {"
        "task: digits, starts: {r: {start: random}}, partitions: {skewed: {partition: dirichlet},"
        " iid: {partition: iid, only: {algorithms: [y]}}},"
        " dataset: {source: digits, num_clients: 4}}},"
        " algorithms: {x: {algorithm: fedavg}, y: {algorithm: fedadam}}}"
    )
    study_run.run(study_run.StudyConfig(str(plan), str(tmp_path / "study"), dry_run=True))
    said = capsys.readouterr().out
    assert "d (skewed): 4 runs: start r x algorithm x, y x seed 0, 1\n" in said
    assert "d (iid): 2 runs: start r x algorithm y x seed 0, 1\n" in said
