"""Stands in for tensorflow_estimator, whose last release fails beside TensorFlow 2.16.

tensorflow_privacy 0.9, which TFF imports, derives a few classes from it; nothing here uses them.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = "tensorflow_estimator"


class _StandIn:
    """Every module of the package, each with an empty class for every name but a module's.

    Finder and loader, without the bases of importlib.abc, whose import takes long.
    """

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        ours = name.partition(".")[0] == _PACKAGE
        return ModuleSpec(name, self, is_package=True) if ours else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = _empty_class  # type: ignore[method-assign]


def _empty_class(name: str) -> type:
    if name[0].islower() or name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})


def provide() -> None:
    """Before all other finders: one that pip has installed would be tried otherwise."""
    if not any(isinstance(finder, _StandIn) for finder in sys.meta_path):
        sys.meta_path.insert(0, _StandIn())
