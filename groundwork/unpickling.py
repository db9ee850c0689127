"""Pickles that cannot run code: only the globals on an allow list are ever looked up."""

import pickle
from collections.abc import Callable, Mapping
from typing import IO, Any

from groundwork.errors import UserError

Allowed = Mapping[tuple[str, str], Any]
"""(module, name) as written in the pickle -> the object that stands in for it."""


def numpy_globals() -> dict[tuple[str, str], Any]:
    """What a pickled NumPy array needs, under the names of NumPy 1 and of NumPy 2."""
    import numpy as np
    from numpy.core import multiarray

    reconstruct = multiarray._reconstruct  # type: ignore[attr-defined]
    return {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _latin1_bytes,
    }


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into the old protocols; no other codec has a place in a pickle."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"codec {encoding!r} is not allowed")
    return text.encode("latin1")


class RestrictedUnpickler(pickle.Unpickler):
    """Reads one pickle; `allowed` names every global it may hold."""

    def __init__(
        self,
        file: IO[bytes],
        allowed: Allowed,
        *,
        persistent_load: Callable[[Any], Any] | None = None,
        encoding: str = "ASCII",
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._allowed = allowed
        self._persistent_load = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is not on the allow list"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent_load is None:
            raise pickle.UnpicklingError("it refers to objects outside the pickle")
        return self._persistent_load(pid)


def load(
    file: IO[bytes],
    allowed: Allowed,
    *,
    name: str,
    persistent_load: Callable[[Any], Any] | None = None,
    encoding: str = "ASCII",
) -> Any:
    """Reads the next pickle of `file`; anything wrong with it is a UserError that names `name`."""
    unpickler = RestrictedUnpickler(
        file, allowed, persistent_load=persistent_load, encoding=encoding
    )
    try:
        return unpickler.load()
    except EOFError:
        raise UserError(f"{name}: the pickle is truncated") from None
    except MemoryError:
        raise
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise UserError(f"{name}: this pickle is refused: {error}") from error
