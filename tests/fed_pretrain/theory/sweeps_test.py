"""The named sweeps, their tables and figures, and the binary."""

import csv
import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from data_prep.errors import UserError
from fed_pretrain.theory import bound, rows, sweeps, tables
from fed_pretrain.theory.conduct import TheoryConfig, conduct, summary
from fed_pretrain.theory.setting import averages


def test_the_default_sweep_has_two_hundred_settings_and_every_axis():
    sweep = sweeps.get("default")
    assert sweep.num_settings >= 200
    settings = [setting for part in sweep.parts for setting in part.settings]
    for axis in ("h", "tau", "aligned", "signal_to_noise", "cosine", "start"):
        assert len({getattr(setting, axis) for setting in settings}) > 2


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
    png = (tmp_path / "error_by_tau_and_split.png").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert png[:4] == b"\x89PNG"
    assert min(width, height) > 300
    assert "aligned filters that turned: 0" in summary(config, conducted)
    about = json.loads((tmp_path / "sweep.json").read_text())
    assert about["bound_shape"] == bound.MARK


def test_an_interval_is_students_t_over_the_seeds():
    mean, half = tables.mean_and_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert mean == 2.0
    assert half == pytest.approx(4.30 / np.sqrt(3))
    assert tables.mean_and_interval(np.array([5.0])) == (5.0, None)
    assert tables.mean_and_interval(np.array([np.nan])) == (None, None)


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
