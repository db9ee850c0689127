"""Pickles that cannot run code: only the globals on an allow list are ever looked up.

Nor can they make more than they hold: Python's own reader keeps its memo in a dictionary (the
faster one allocates an index of the pickle's choice), arrays are views of bytes that are there,
and what is put into an object is dropped unless it is one of ours.
"""

import functools
import math
import os
import pickle
import re
import struct
from collections.abc import Callable, Mapping, Sized
from typing import IO, Any, ClassVar

import numpy as np

from groundwork.errors import UserError, words_of

Allowed = Mapping[tuple[str, str], Any]
"""(module, name) as written in the pickle -> the object that stands in for it."""

_NUMBERS = re.compile(r"[<=|]?([fiu][1248]|b1|f16)")


class _Dtype:
    """Stands in for a dtype of plain numbers."""

    def __init__(self, code: object, *_: object) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
            raise pickle.UnpicklingError("an array is not of plain numbers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and state[1:2] in ((">",), (b">",)):
            raise pickle.UnpicklingError("it was written on a big-endian machine")


class _Stored(np.ndarray):
    """An array that takes its values from bytes of the pickle, and only if they are all there."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, content = state
        _check(shape, dtype, content)
        super().__setstate__((1, shape, dtype.dtype, bool(is_fortran), content))


def _check(shape: object, dtype: object, content: Sized) -> None:
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array has no proper shape or dtype")
    size = math.prod(shape) * dtype.dtype.itemsize
    if min(shape, default=0) < 0 or len(content) != size:
        raise pickle.UnpicklingError(f"an array declares {size:,} bytes and holds {len(content):,}")


def _from_buffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """How protocol 5 writes an array."""
    _check(shape, dtype, content)
    return np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def numpy_globals() -> dict[tuple[str, str], Any]:
    """What a pickled NumPy array needs, under the names of NumPy 1 and of NumPy 2."""

    def reconstruct(*_: object) -> np.ndarray:
        return np.ndarray.__new__(_Stored, (0,), "u1")

    @functools.cache  # the same text named a thousand times makes the same bytes
    def latin1_bytes(text: str, encoding: str) -> bytes:
        """How Python 3 writes bytes into the old protocols; no other codec has a place here."""
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"codec {encoding!r:.40} is not allowed")
        return text.encode("latin1")

    modules = ("numpy.core", "numpy._core")
    return {
        **{(f"{module}.multiarray", "_reconstruct"): reconstruct for module in modules},
        **{(f"{module}.numeric", "_frombuffer"): _from_buffer for module in modules},
        ("numpy", "ndarray"): "numpy.ndarray",
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): latin1_bytes,
    }


class RestrictedUnpickler(pickle._Unpickler):
    """Reads one pickle; `allowed` names every global it may hold."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(
        self,
        file: "_Bounded",
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

    def load_build(self) -> None:
        state = self.stack.pop()  # type: ignore[attr-defined]
        receiver = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(receiver, _Dtype | _Stored):
            receiver.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        _plain(self.stack[-2:-1])  # type: ignore[attr-defined]
        super().load_setitem()  # type: ignore[misc]

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        _plain(self.stack[::2])  # type: ignore[attr-defined]
        super().load_setitems()  # type: ignore[misc]

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        _plain(self.stack[::2])  # type: ignore[attr-defined]
        super().load_dict()  # type: ignore[misc]

    dispatch[pickle.DICT[0]] = load_dict

    def load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        self.append(bytearray(self.read(length)))  # type: ignore[attr-defined]

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    for _set in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        del dispatch[_set[0]]


def _plain(keys: list[object]) -> None:
    """A tuple of tuples of the same tuples takes for ever to hash."""
    if not all(isinstance(key, str | bytes | int | float | None) for key in keys):
        raise pickle.UnpicklingError("a key of a dictionary is neither text nor a number")


class _Bounded:
    """A file that is never asked for more than it has: its reader would allocate that first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        here = file.tell()
        self._end = file.seek(0, os.SEEK_END)
        file.seek(here)
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        if count > self._end - self._file.tell():
            raise EOFError
        return self._file.read(count)


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
        _Bounded(file), allowed, persistent_load=persistent_load, encoding=encoding
    )
    try:
        return unpickler.load()
    except EOFError:
        raise UserError(f"{name}: the pickle is truncated") from None
    except MemoryError as error:
        raise UserError(f"{name}: this pickle does not fit into the memory") from error
    except Exception as error:  # a hostile or damaged pickle can raise anything
        raise UserError(f"{name}: this pickle is refused: {words_of(error)}") from error
