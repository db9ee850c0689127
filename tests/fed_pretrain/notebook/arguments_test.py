"""Keyword arguments and flags make the same config."""

import dataclasses

import pytest
from absl import flags

from fed_pretrain.experiment.assembly import run_flags
from fed_pretrain.notebook import algorithms, run, starts
from fed_pretrain.notebook.argument_errors import ArgumentError
from fed_pretrain.starts.start_config import StartConfig

GIVEN = {
    "rounds": 7,
    "clients_per_round": 3,
    "evaluate_every": 2,
    "probes": ["alignment", "drift"],
    "checkpoint_every": 5,
    "hessian_eigenvalues": 2,
    "devices": "CPU",
    "client_momentum": 0.5,
    "patience": 4,
}


def test_a_call_gives_the_config_of_the_command_line(six):
    values = flags.FlagValues()
    run_flags.define(values)
    line = {**GIVEN, "probes": "alignment,drift", "algorithm": "fedadam", "seed": 3}
    line |= {"task": "classification", "workdir": "w", "server_learning_rate": 0.02}
    line |= {"dataset": six.dataset.path, "start_noise": 0.1}
    values(["train", *(f"--{name}={value}" for name, value in line.items())])
    chosen = algorithms.algorithm("fedadam", server_learning_rate=0.02)
    begin = StartConfig(noise=0.1)
    config = run.config_of(six, "classification", None, chosen, 3, GIVEN, start=begin)
    assert dataclasses.replace(config, workdir="w") == run_flags.run_config(values)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"round": 3}, r"there is no argument 'round' \(did you mean 'rounds'\?\)"),
        ({"rounds": "ten"}, "rounds='ten': a whole number is wanted"),
        ({"rounds": True}, "rounds=True: a whole number is wanted"),
        ({"clients_per_round": 0}, "clients_per_round=0: at least 1 is wanted"),
        ({"sampling": "all of them"}, "sampling=all of them is not one of"),
    ],
)
def test_a_wrong_argument_is_named(six, given, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        run.config_of(six, "classification", None, algorithms.algorithm("fedavg"), 0, given)


@pytest.mark.parametrize("track", ["mlflow,wandb", ["mlflow", "wandb"], ("mlflow", "wandb")])
def test_several_texts_are_a_list_or_one_with_commas(six, track):
    chosen = algorithms.algorithm("fedavg")
    config = run.config_of(six, "classification", None, chosen, 0, {"track": track})
    assert config.tracking.track == ("mlflow", "wandb")


def test_algorithms_and_starts_are_checked_when_they_are_made():
    with pytest.raises(ArgumentError, match=r"algorithm=fedavgg is not one of .*mean 'fedavg'"):
        algorithms.algorithm("fedavgg")
    with pytest.raises(ArgumentError, match="there is no argument 'server_rate'"):
        algorithms.algorithm("fedavg", server_rate=1.0)
    with pytest.raises(ArgumentError, match="head=ridges is not one of"):
        starts.start("random", head="ridges")
    with pytest.raises(ArgumentError, match="trainable is 'some', must be all, head"):
        starts.start("random", trainable="some")
