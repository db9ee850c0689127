import dataclasses
import json
import os
import signal

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly.run_config import EvaluationConfig, RunConfig, WorkConfig
from groundwork import files
from groundwork.errors import UserError
from pipelines.tuning import trials, tuning
from pipelines.tuning.search import Search, parse_rates, trial_name
from pipelines.tuning.trials import TuneConfig

RATES = {"client_learning_rate": [1.0, 0.1, 0.01], "server_learning_rate": [1.0, 0.1]}


def config(tmp_path, **changes):
    base = RunConfig(
        task="digits",
        workdir=str(tmp_path / "tune"),
        algorithm_name="fedavg",
        work=WorkConfig(clients_per_round=3, max_examples=30),
        evaluation=EvaluationConfig(eval_examples=100),
    )
    wanted = {"rates": RATES, "trials": 6, "rounds": 2, "halvings": 1, **changes}
    return TuneConfig(base, Search(**wanted))


def test_a_grid_within_the_budget_is_tried_whole(tmp_path):
    assert len(config(tmp_path).search.candidates()) == 6


def test_a_larger_grid_is_thinned_to_the_budget_by_the_seed(tmp_path):
    few = config(tmp_path, trials=3).search.candidates()
    assert len(few) == 3
    assert few == config(tmp_path, trials=3).search.candidates()


def test_random_rates_lie_between_the_ends_and_follow_the_seed(tmp_path):
    drawn = config(tmp_path, search="random", trials=20).search.candidates()
    assert all(0.01 <= rates["client_learning_rate"] <= 1.0 for rates in drawn)
    assert drawn == config(tmp_path, search="random", trials=20).search.candidates()
    assert drawn != config(tmp_path, search="random", trials=20, seed=1).search.candidates()


def test_a_diverged_trial_is_below_every_other():
    diverged = trials.Trial({}, float("nan"), float("nan"), 1)
    poor = trials.Trial({}, 0.0, 9.0, 1)
    assert max([diverged, poor], key=lambda trial: trial.score) is poor


def test_a_best_rate_beyond_which_nothing_was_tried_is_named():
    tried = [{"inner": i, "outer": o, "fixed": 1.0} for i in (0.1, 0.3, 1.0) for o in (0.01, 0.1)]
    found = tuning.edges({"inner": 0.3, "outer": 0.1, "fixed": 1.0}, tried)
    assert list(found) == ["outer"]
    assert "--outer, 0.1, is the largest that was tried" in found["outer"]
    smallest = tuning.edges({"inner": 0.1, "outer": 0.01, "fixed": 1.0}, tried)
    assert "smaller ones" in smallest["inner"]
    assert "smaller ones" in smallest["outer"]


@pytest.mark.parametrize("text", ["client_learning_rate", "a=1,x", "=;"])
def test_rates_that_cannot_be_read_are_refused(text):
    with pytest.raises(UserError, match="--rates"):
        parse_rates(text)


@pytest.mark.slow
def test_a_dataset_without_a_validation_split_is_refused(tmp_path):
    with pytest.raises(UserError, match="--eval_split=validation"):
        tuning.tune(config(tmp_path))


@pytest.fixture
def with_validation(tmp_path):
    """The path of digits with a validation split."""
    path = str(tmp_path / "digits")
    prepare(PrepareConfig(source="digits", output=path, split_fractions=(0.7, 0.1, 0.2)))
    return path


def on_dataset(wanted, path):
    return dataclasses.replace(wanted, base=dataclasses.replace(wanted.base, dataset=path))


@pytest.mark.slow
def test_a_signal_ends_the_tuning_and_the_same_command_continues_it(
    tmp_path, with_validation, monkeypatch
):
    wanted = on_dataset(config(tmp_path, trials=2, halvings=0), with_validation)
    folder = tmp_path / "tune"

    def stop_in_the_first_round(point):
        if point == "after-round":
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(files, "reach", stop_in_the_first_round)
        with pytest.raises(UserError, match="stopped by SIGTERM; the same command continues"):
            tuning.tune(wanted)
    assert len(list((folder / "trials").iterdir())) == 1
    assert not (folder / "rates.flags").exists()
    assert not (folder / "trials.json").exists()
    tuning.tune(wanted)
    done = json.loads((folder / "trials.json").read_text())["trials"]
    rows = [path.read_text() for path in (folder / "trials").glob("*/run/metrics.jsonl")]
    assert [len(text.splitlines()) for text in rows] == [3, 3]
    assert len(done) == 2


@pytest.mark.slow
def test_trials_done_one_by_one_as_steps_choose_the_same_rates(tmp_path, with_validation):
    whole = on_dataset(config(tmp_path, trials=4), with_validation)
    best = tuning.tune(whole)
    assert tuning.tune(whole) == best  # all of it is done
    rungs, before = [], []
    for rung, size in enumerate(whole.search.rung_sizes()):
        folders = [str(tmp_path / "steps" / trial_name(rung, number)) for number in range(size)]
        for place in reversed(folders):
            base = dataclasses.replace(whole.base, workdir=place)
            one = dataclasses.replace(whole, base=base)
            tuning.one_trial(one, place[-4:], before)
        before = folders
        rungs += folders
    chosen = dataclasses.replace(whole.base, workdir=str(tmp_path / "chosen"))
    assert tuning.tune(dataclasses.replace(whole, base=chosen), finished=rungs) == best
    for file in ("trials.json", "rates.flags"):
        assert (tmp_path / "chosen" / file).read_bytes() == (tmp_path / "tune" / file).read_bytes()
    with pytest.raises(UserError, match="--trial=2-00 is not one of 0-00, 0-01"):
        tuning.one_trial(whole, "2-00", [])


@pytest.mark.slow
def test_the_best_trial_of_the_last_rung_becomes_the_flag_file(tmp_path, with_validation):
    best = tuning.tune(on_dataset(config(tmp_path, trials=4), with_validation))
    record = json.loads((tmp_path / "tune" / "trials.json").read_text())
    assert record["split"] == "validation"
    assert len(record["trials"]) == 4 + 2
    last = [trial for trial in record["trials"] if trial["rounds"] == 4]
    assert record["best"]["accuracy"] == max(trial["accuracy"] for trial in last)
    lines = (tmp_path / "tune" / "rates.flags").read_text().splitlines()
    assert lines == [f"--{name}={value!r}" for name, value in sorted(best.items())]
