import dataclasses
import json

import pytest

from data_prep.errors import UserError
from data_prep.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.config import EvaluationConfig, RunConfig, WorkConfig
from pipelines import tuning

RATES = {"client_learning_rate": [1.0, 0.1, 0.01], "server_learning_rate": [1.0, 0.1]}


def config(tmp_path, **changes):
    base = RunConfig(
        task="digits",
        workdir=str(tmp_path / "tune"),
        algorithm_name="fedavg",
        work=WorkConfig(clients_per_round=3, max_examples=30),
        evaluation=EvaluationConfig(eval_examples=100),
    )
    made = tuning.TuneConfig(base, RATES, "grid", trials=6, rounds=2, halvings=1, seed=0)
    return dataclasses.replace(made, **changes)


def test_a_grid_within_the_budget_is_tried_whole(tmp_path):
    assert len(tuning.candidates(config(tmp_path))) == 6


def test_a_larger_grid_is_thinned_to_the_budget_by_the_seed(tmp_path):
    few = tuning.candidates(config(tmp_path, trials=3))
    assert len(few) == 3
    assert few == tuning.candidates(config(tmp_path, trials=3))


def test_random_rates_lie_between_the_ends_and_follow_the_seed(tmp_path):
    drawn = tuning.candidates(config(tmp_path, search="random", trials=20))
    assert all(0.01 <= rates["client_learning_rate"] <= 1.0 for rates in drawn)
    assert drawn == tuning.candidates(config(tmp_path, search="random", trials=20))
    assert drawn != tuning.candidates(config(tmp_path, search="random", trials=20, seed=1))


def test_a_diverged_trial_is_below_every_other():
    diverged = tuning.Trial({}, float("nan"), float("nan"), 1)
    poor = tuning.Trial({}, 0.0, 9.0, 1)
    assert max([diverged, poor], key=lambda trial: trial.score) is poor


@pytest.mark.parametrize("text", ["client_learning_rate", "a=1,x", "=;"])
def test_rates_that_cannot_be_read_are_refused(text):
    with pytest.raises(UserError, match="--rates"):
        tuning.parse_rates(text)


@pytest.mark.slow
def test_a_dataset_without_a_validation_split_is_refused(tmp_path):
    with pytest.raises(UserError, match="--eval_split=validation"):
        tuning.tune(config(tmp_path))


@pytest.mark.slow
def test_the_best_trial_of_the_last_rung_becomes_the_flag_file(tmp_path):
    dataset = str(tmp_path / "digits")
    fractions = (0.7, 0.1, 0.2)
    prepare(PrepareConfig(source="digits", output=dataset, split_fractions=fractions))
    wanted = config(tmp_path, trials=4)
    base = dataclasses.replace(wanted.base, dataset=dataset)
    best = tuning.tune(dataclasses.replace(wanted, base=base))
    record = json.loads((tmp_path / "tune" / "trials.json").read_text())
    assert record["split"] == "validation"
    assert len(record["trials"]) == 4 + 2
    last = [trial for trial in record["trials"] if trial["rounds"] == 4]
    assert record["best"]["accuracy"] == max(trial["accuracy"] for trial in last)
    lines = (tmp_path / "tune" / "rates.flags").read_text().splitlines()
    assert lines == [f"--{name}={value!r}" for name, value in sorted(best.items())]
