"""Flags that contradict each other, or that no run could follow, are refused before any work."""

import pytest
from absl import flags

from fed_pretrain.experiment.assembly import run_flags
from fed_pretrain.experiment.training.run import train
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import small


def config_of(*arguments):
    values = flags.FlagValues()
    run_flags.define(values)
    values(["train", "--task=digits", "--workdir=run", *arguments])
    return run_flags.run_config(values)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--epochs=2", "--local_steps=3"), "--local_steps and --epochs contradict"),
        (("--sampling=all", "--clients_per_round=3"), "--sampling=all takes every client"),
    ],
)
def test_two_flags_that_contradict_each_other_are_refused(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        config_of(*arguments)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "vgg11"}, "--model=vgg11 cannot be built on images of 28x28"),
        ({"options": {"preprocessing": "foo"}}, "--preprocessing=foo"),
        (
            {"algorithm_settings": (("local_steps_schedule", "linear"),)},
            "--local_steps_schedule needs --local_steps",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_before_the_folder_is_claimed(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        train(small(tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "config.json").exists()
