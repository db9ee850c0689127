"""A flag a field, with the bounds that the field tells."""

import dataclasses

import pytest
from absl import flags

from groundwork import settings


@dataclasses.dataclass(frozen=True)
class Sample:
    share: float = dataclasses.field(
        default=0.5, metadata={"help": "A share.", "lower_bound": 0.0, "upper_bound": 1.0}
    )
    rate: float | None = dataclasses.field(default=None, metadata={"help": "A rate."})
    rounds: int = dataclasses.field(default=3, metadata={"lower_bound": 1, "flag": "num_rounds"})
    hidden: int = dataclasses.field(default=7, metadata={"flag": None})


def parsed(*arguments):
    values = flags.FlagValues()
    settings.define(Sample, "Sample", values)
    values(["program", *arguments])
    return values


def test_flags_fill_the_dataclass_and_what_was_not_given_keeps_its_default():
    values = parsed("--share=1", "--num_rounds=2")
    assert settings.build(Sample, values) == Sample(share=1.0, rounds=2)
    assert settings.given(Sample, values) == {"share": 1.0, "rounds": 2}
    assert "hidden" not in settings.flag_names(Sample)


@pytest.mark.parametrize(
    "argument",
    ["--share=1.1", "--share=-0.1", "--share=nan", "--rate=inf", "--rate=nan", "--num_rounds=0"],
)
def test_numbers_out_of_bounds_and_those_that_are_none_are_refused(argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument.partition("=")[0]):
        parsed(argument)
