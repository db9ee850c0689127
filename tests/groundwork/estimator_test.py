"""The stand-in serves what asks for tensorflow_estimator."""

import importlib
import sys
from collections.abc import Iterator

import pytest

from groundwork import estimator


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in alone, as if nothing of that name had been installed or imported."""
    for name in _modules():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [estimator._StandIn()])
    yield
    for name in _modules():
        del sys.modules[name]


def _modules() -> list[str]:
    return [name for name in sys.modules if name.startswith("tensorflow_estimator")]


@pytest.mark.usefixtures("stand_in")
def test_it_answers_as_tensorflow_privacy_asks() -> None:
    head = importlib.import_module("tensorflow_estimator.python.estimator.canned.head")
    assert type("Ours", (head.Head,), {}).mro()[1].__name__ == "Head"
    assert head._DEFAULT_SERVING_KEY
    assert not hasattr(head, "__file__")


@pytest.mark.usefixtures("stand_in")
def test_it_answers_for_no_other_package() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tensorflow_estimators")


def test_it_is_provided_once_and_before_what_finds_installed_packages() -> None:
    estimator.provide()
    finders = [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]
    assert finders.count("_StandIn") == 1
    assert finders.index("_StandIn") < finders.index("PathFinder")
