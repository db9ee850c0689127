"""Libraries and names that are imported when they are first asked for, as `--help` needs few."""

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

OF_HELP = ("numpy", "h5py", "pyarrow", "jsonschema", "jinja2", "yaml", "apache_beam", "psutil")
# Parts of TensorFlow and TFF, and what other parts of theirs import, that few runs ask for.
OF_RUNS = (
    *("tensorflow_probability", "sklearn", "sklearn.preprocessing", "requests"),
    *("scipy.fft", "scipy.optimize", "scipy.signal", "scipy.stats"),
    # With JAX, which nothing else needs.
    *(f"tensorflow._api.v2.{api}lite" for api in ("", "compat.v1.", "compat.v2.")),
    *(f"tensorflow._api.v2.{api}experimental.numpy" for api in ("", "compat.v2.")),
    *(f"tensorflow_federated.python.{part}" for part in ("analytics", "program", "simulation")),
    "tensorflow_federated.python.learning.programs",
    "tensorflow_federated.python.core.environments.jax",
)
# Imported beside a late one: coming later, it would take the place of tf.lite.
_BESIDE = {"tensorflow._api.v2.lite": "tensorflow.lite"}
# Each with those that come when a part of one of them is wanted.
_late: dict[str, tuple[str, ...]] = {}
# Others are asked for of every module in turn, by whoever looks for the module of something.
_SAID_OF_LIBRARIES = ("__version__", "__all__")


class _Later(ModuleType):
    """A library, or a module of it, until a part of it is wanted."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name not in _SAID_OF_LIBRARIES:
            raise AttributeError(name)
        found = sys.modules.get(self.__name__)
        if found is not None and not isinstance(found, _Later):
            return getattr(found, name)
        part = f"{self.__name__}.{name}"
        if part in _late:
            return importlib.import_module(part)
        # All at once: what the library is made of may be late, too.
        for one in _late.get(_late_part(self.__name__) or "", ()):
            _late.pop(one, None)
        for known, module in list(sys.modules.items()):
            if isinstance(module, _Later) and _late_part(known) is None:
                del sys.modules[known]
        return getattr(importlib.import_module(self.__name__), name)


def _late_part(name: str) -> str | None:
    """The late one that the module is or is a part of."""
    while name and name not in _late:
        name = name.rpartition(".")[0]
    return name or None


class _Finder:
    """Finder and loader of the libraries that are late."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if _late_part(name) is None:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Later(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing of it is run yet."""
        if module.__name__ in _BESIDE:
            importlib.import_module(_BESIDE[module.__name__])


def names_from(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module whose names are each imported from its home."""

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{module}.{homes[name]}"), name)

    return __getattr__


def provide(libraries: tuple[str, ...]) -> None:
    """Before all other finders; a library that is imported already stays."""
    late = tuple(name for name in libraries if name not in sys.modules)
    _late.update(dict.fromkeys(late, late))
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
