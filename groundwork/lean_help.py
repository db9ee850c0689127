"""`--help` by itself needs names and texts alone: large libraries are then imported if used."""

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_LARGE = ("numpy", "h5py", "pyarrow", "jsonschema", "jinja2", "yaml", "apache_beam", "psutil")


class _Later(ModuleType):
    """A library that the first look at a part of it imports, and every other one with it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]
        for known, module in list(sys.modules.items()):
            if isinstance(module, _Later):
                del sys.modules[known]
        return getattr(importlib.import_module(self.__name__), name)


class _Finder:
    """Finder and loader of the large libraries."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name.partition(".")[0] not in _LARGE:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Later(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of it is run yet."""


def provide() -> None:
    """Before all other finders; for a process that prints its help and ends."""
    sys.meta_path.insert(0, _Finder())
