"""The named sweeps, their tables and figures, and the binary."""

import csv
import dataclasses
import itertools
import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from fed_pretrain.theory import bound, figures, laboratory, rows, sweeps, tables
from fed_pretrain.theory.conduct import TheoryConfig, conduct, summary
from fed_pretrain.theory.setting import Problem, Setting, averages
from groundwork.errors import UserError

AXES = ("h", "tau", "aligned", "signal_to_noise", "cosine")


def crossed(sweep: sweeps.Sweep) -> list[Setting]:
    (part,) = [part for part in sweep.parts if part.name == "crossed"]
    return list(part.settings)


def test_the_default_sweep_crosses_every_axis_with_every_other():
    settings = crossed(sweeps.get("default"))
    levels = [{getattr(setting, axis) for setting in settings} for axis in AXES]
    assert min(map(len, levels)) > 2
    assert len(settings) == np.prod([len(values) for values in levels]) >= 200
    found = {tuple(getattr(setting, axis) for axis in AXES) for setting in settings}
    assert found == set(itertools.product(*levels))


def test_given_grids_take_the_place_of_the_sweeps_own():
    given = sweeps.Grids(taus=(3,), aligned=(None, 0.2), cosines=(0.7,))
    settings = crossed(sweeps.get("default", given))
    own = crossed(sweeps.get("default"))
    for axis, values in (("tau", {3}), ("aligned", {None, 0.2}), ("cosine", {0.7})):
        assert {getattr(setting, axis) for setting in settings} == values
    assert {setting.h for setting in settings} == {setting.h for setting in own}
    with pytest.raises(
        UserError, match=r"--cosines: the sweep 'phases' does not vary it, only --h"
    ):
        sweeps.get("phases", sweeps.Grids(cosines=(0.5,)))


def test_every_sweep_can_be_made_and_its_records_end_with_the_steps():
    for name in sweeps.names():
        for part in sweeps.get(name).parts:
            assert part.records[-1] == part.problem.steps
            assert len(set(part.settings)) == len(part.settings)
    assert "default" in sweeps.describe()


def test_schedules_of_tau_have_equal_steps_and_rounds():
    for taus in (*sweeps.DECREASING, *sweeps.INCREASING):
        assert sum(taus) == 200
        assert averages(taus, 200).sum() == 10


def test_an_unknown_sweep_is_refused_with_the_names():
    with pytest.raises(UserError, match=r"--sweep=huge: choose .*default"):
        sweeps.get("huge")
    with pytest.raises(UserError, match="--seeds=0"):
        TheoryConfig("smoke", "nowhere", seeds=0)


def test_a_sweep_writes_tables_and_figures(tmp_path):
    config = TheoryConfig("smoke", str(tmp_path), seeds=3)
    conducted = conduct(config)
    table = json.loads((tmp_path / "results.json").read_text())
    assert len(table) == 4 * 2
    with (tmp_path / "results.csv").open() as file:
        assert [float(row["train_loss"]) for row in csv.DictReader(file)] == [
            row["train_loss"] for row in table
        ]
    assert is_picture((tmp_path / "error_by_tau_and_split.png").read_bytes())
    assert "aligned filters that turned: 0" in summary(config, conducted)
    about = json.loads((tmp_path / "sweep.json").read_text())
    assert about["bound_shape"] == bound.MARK


def is_picture(png: bytes) -> bool:
    width, height = struct.unpack(">II", png[16:24])
    return png[:4] == b"\x89PNG" and min(width, height) > 300


def test_phase_diagrams_are_drawn_of_any_grid():
    grids = sweeps.Grids((0.5, 0.0), (1, 2), (None, 1.0), (1.0, 2.0), (0.0, 1.0))
    shares = dataclasses.replace(grids, taus=(), aligned=(0.0, 1.0), cosines=())
    problem = Problem(dimension=40, filters=4, steps=4, test_points=50)
    table = []
    for sweep, given in (("default", grids), ("phases", shares)):
        part = sweeps.get(sweep, given).parts[-1]
        results = laboratory.run(problem, part.settings, [0], dtype="float32")
        table += tables.rows(part.name, results)
    drawn = figures.draw_all(table)
    assert set(drawn) == {"phases_by_cosine", "phases_by_alignment"}
    assert all(map(is_picture, drawn.values()))


def test_an_interval_is_students_t_over_the_seeds():
    mean, half = tables.mean_and_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert mean == 2.0
    assert half == pytest.approx(4.302653 / np.sqrt(3))
    assert tables.mean_and_interval(np.array([5.0])) == (5.0, None)
    assert tables.mean_and_interval(np.array([np.nan, np.inf])) == (None, None)


def test_the_bounds_shape_forgets_h_and_tau_where_all_filters_are_aligned():
    everywhere = {
        bound.error_bound(np.ones(2), h, tau, 1.5, 20, 200) for h in (0, 0.5) for tau in (1, 99)
    }
    assert len(everywhere) == 1
    half = [bound.error_bound(np.full(2, 0.5), 0.0, tau, 1.5, 20, 200) for tau in (1, 10, 100)]
    assert half == sorted(half)
    assert half[0] in everywhere


def test_rows_of_a_run_hold_signal_and_orthogonal_noise(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert rows.write(str(path), h=0.2, signal=1.5, seed=0) == 3020
    found = [json.loads(line) for line in path.read_text().splitlines()]
    x = np.array([row["x"] for row in found])
    sign = np.where(np.array([row["label"] for row in found]) == 0, 1.5, -1.5)
    assert np.allclose(x[:, 0], sign)
    assert (x[:, 1:200] == 0).all()
    assert (x[:, 200] == 0).all()
    assert [row["label"] for row in found if row["client_id"] == "client_1"] == [1] * 8 + [0] * 2


@pytest.mark.slow
def test_the_binary_runs_a_sweep_and_refuses_a_missing_folder(tmp_path):
    command = [sys.executable, "-m", "fed_pretrain.theory", "--sweep=smoke", "--seeds=2"]
    done = subprocess.run([*command, f"--workdir={tmp_path}"], capture_output=True, check=False)
    assert done.returncode == 0
    assert (tmp_path / "results.csv").exists()
    refused = subprocess.run(command, capture_output=True, check=False, text=True)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("error: --workdir is missing")


def test_grids_that_are_no_numbers_are_one_sentence_naming_the_flag():
    command = [sys.executable, "-m", "fed_pretrain.theory", "--workdir=x", "--signals=1,loud"]
    refused = subprocess.run(command, capture_output=True, check=False, text=True)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("error: --signals=1,loud: numbers")
