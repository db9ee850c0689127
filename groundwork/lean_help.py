"""`--help` by itself needs names and texts alone: large libraries are then stood in for."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

_LARGE = ("numpy", "h5py", "pyarrow", "jsonschema", "jinja2", "yaml", "apache_beam", "psutil")


class _Anything(ModuleType):
    """Every name, call and part of it is itself, and a class may have it as a base."""

    def __getattr__(self, name: str) -> "_Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **named: object) -> "_Anything":
        return self

    def __getitem__(self, _: object) -> "_Anything":
        return self

    def __or__(self, _: object) -> "_Anything":
        return self

    __ror__ = __or__

    def __mro_entries__(self, _: object) -> tuple[type, ...]:
        return ()


class _StandIn:
    """Finder and loader of the large libraries."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name.partition(".")[0] not in _LARGE:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of it is run."""


def provide() -> None:
    """Before all other finders; for a process that prints its help and ends."""
    sys.meta_path.insert(0, _StandIn())
