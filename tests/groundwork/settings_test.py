"""A flag a field, with the bounds that the field tells."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from absl import flags

from groundwork import settings
from groundwork.errors import UserError


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


@dataclasses.dataclass(frozen=True)
class Lists:
    shares: tuple[float, ...] = settings.setting((0.8, 0.0), "Shares.")
    cuts: tuple[int, ...] = settings.setting((), "Cuts.")
    options: Mapping[str, str] = settings.setting({}, "Options.")
    size: int | None = settings.setting(None, "A size.", lower_bound=2)


def lists(*arguments):
    values = flags.FlagValues()
    settings.define(Lists, "Lists", values)
    values(["program", *arguments])
    return settings.build(Lists, values)


def test_flags_of_several_values_become_tuples_and_mappings_of_the_fields_types():
    assert lists() == Lists()
    given = lists("--shares=1,0.5", "--cuts=3,4", "--options=a=1,b=x=y")
    assert given == Lists((1.0, 0.5), (3, 4), {"a": "1", "b": "x=y"})
    with pytest.raises(UserError, match="--cuts=3,x: numbers with commas are wanted"):
        lists("--cuts=3,x")
    with pytest.raises(UserError, match="--options: 'a' is not of the form name=value"):
        lists("--options=a")


def test_a_config_that_code_made_keeps_to_the_bounds_of_its_flags():
    settings.check_bounds(Lists(size=2))
    with pytest.raises(UserError, match="--size=1: at least 2 is wanted"):
        settings.check_bounds(Lists(size=1))


@dataclasses.dataclass(frozen=True)
class Section:
    share: float | None = None
    names: tuple[str, ...] = ()
    numbers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    whole: bool = False


@dataclasses.dataclass(frozen=True)
class Whole:
    folder: str = ""
    count: int = settings.setting(1, "How many.", flag="how_many", lower_bound=0)
    section: Section = dataclasses.field(default_factory=Section)
    anything: Any = None


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (Whole(folder=Path("a")), r"--folder=PosixPath\('a'\): a text is wanted"),  # type: ignore[arg-type]
        (Whole(count="3"), "--how_many='3': a whole number is wanted"),  # type: ignore[arg-type]
        (Whole(count=-1), "--how_many=-1: at least 0 is wanted"),
        (Whole(count=True), "--how_many=True: a whole number is wanted"),
        (Whole(section="all"), "^section='all': a Section is wanted"),  # type: ignore[arg-type]
        (Whole(section=Section(share="1")), "--share='1': a number is wanted"),  # type: ignore[arg-type]
        (Whole(section=Section(names=["a"])), "--names=.*: a tuple is wanted"),  # type: ignore[arg-type]
        (Whole(section=Section(whole=1)), "--whole=1: True or False is wanted"),  # type: ignore[arg-type]
    ],
)
def test_a_value_of_another_type_or_size_in_a_config_that_code_made_is_refused(
    config: Whole, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        settings.check(config)


def test_whole_numbers_are_numbers_and_what_has_no_type_may_be_anything() -> None:
    settings.check(Whole(section=Section(share=1, names=("a",)), anything=Path("a")))
