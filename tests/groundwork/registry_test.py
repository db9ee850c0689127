"""A name is given once, and one that nothing has is refused with the nearest."""

import dataclasses

import pytest

from groundwork.errors import UserError
from groundwork.registry import Registry


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str
    weight: int = 0


def tools() -> Registry[Tool]:
    return Registry("tool", "--tool", lambda: {"saw": Tool("saw")})


def test_the_houses_own_come_first_and_a_name_is_given_once() -> None:
    known = tools()
    assert known.register(Tool("axe")) == Tool("axe")
    assert known.names() == ("saw", "axe")
    assert known.named("axe") == known.register(Tool("axe"))  # a module may be imported again
    for taken in ("saw", "axe"):
        with pytest.raises(UserError, match=f"already a tool named '{taken}'"):
            known.register(Tool(taken, weight=1))
    assert known.known() == {"saw": Tool("saw"), "axe": Tool("axe")}


def test_an_unknown_name_is_refused_with_all_that_are_known_and_the_nearest() -> None:
    with pytest.raises(UserError, match=r"--tool=sew is not one of saw \(did you mean 'saw'\?\)"):
        tools().named("sew")


def test_a_class_of_a_reloaded_module_takes_the_place_of_the_old_one() -> None:
    known: Registry[type] = Registry("probe", "--probes")
    old, new = (type("Mine", (), {"name": "mine", "__module__": "my_module"}) for _ in range(2))
    known.register(old)
    known.register(new)
    assert known.named("mine") is new


def test_a_thing_without_a_name_is_refused() -> None:
    with pytest.raises(UserError, match="the probe Nobody has no name"):
        Registry("probe", "--probes").register(type("Nobody", (), {"name": ""}))
