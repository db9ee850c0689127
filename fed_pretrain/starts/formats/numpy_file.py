"""NumPy archives (.npz) and pickled dictionaries of arrays, read without running their code."""

import math
import os
import zipfile

import numpy as np
from numpy.lib import format as npy

from fed_pretrain.starts.formats import facts
from fed_pretrain.starts.formats.source_file import ReadBudget
from groundwork import unpickling
from groundwork.errors import UserError
from groundwork.untyped import Json

_SUFFIX = ".npy"
_LABELS = "labels.npy"
_NUMBERS = "fiub"
_LONGEST_NAME = 1000
_DEEPEST = 32
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: str) -> dict[str, np.ndarray]:
    """The arrays, but for the names of the outputs that our own exports hold beside them."""
    budget = ReadBudget(path, os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        kinds = {m: _kind_of_member(archive, m, budget) for m in archive.namelist()}
        return {
            member.removesuffix(_SUFFIX): _array(archive, member)
            for member, kind in kinds.items()
            if kind in _NUMBERS
        }


def read_facts(path: str) -> dict[str, Json]:
    """The names of the outputs, where the archive holds them."""
    budget = ReadBudget(path, os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        if _LABELS not in archive.namelist() or _kind_of_member(archive, _LABELS, budget) != "U":
            return {}
        return facts.of_labels(_array(archive, _LABELS).ravel().tolist())


def _kind_of_member(archive: zipfile.ZipFile, member: str, budget: ReadBudget) -> str:
    """Its header must declare what the archive says it holds: NumPy allocates by the header."""
    size = archive.getinfo(member).file_size
    budget.take(size)
    with archive.open(member) as file:
        shape, _, dtype = _HEADERS[npy.read_magic(file)](file)
        if dtype.kind not in _NUMBERS and (member, dtype.kind) != (_LABELS, "U"):
            raise ValueError(f"{member} is of {dtype}, not of numbers")
        if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{member} does not hold the shape {shape} that its header declares")
        return str(dtype.kind)


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as file:
        array: np.ndarray = npy.read_array(file, allow_pickle=False)
        return array


def read_pickle(path: str) -> dict[str, np.ndarray]:
    """A dictionary of arrays, or of lists of arrays; list members are named KEY/0, KEY/1, ..."""
    with open(path, "rb") as file:
        content = unpickling.load(file, unpickling.numpy_globals(), name=path)
    size = os.path.getsize(path)
    return _Collected(ReadBudget(path, size), size).of(content)


class _Collected:
    """Walks nested containers; one that holds itself, or the same a thousandfold, is refused."""

    def __init__(self, budget: ReadBudget, most: int) -> None:
        self._budget = budget
        self._most = most
        """A pickle spends a byte or more on each entry that it holds once."""
        self._tensors: dict[str, np.ndarray] = {}

    def of(self, content: Json) -> dict[str, np.ndarray]:
        self._collect(content, "", 0)
        return self._tensors

    def _collect(self, value: Json, name: str, depth: int) -> None:
        self._most -= 1
        if self._most < 0 or depth > _DEEPEST or len(name) > _LONGEST_NAME:
            raise ValueError("its containers hold themselves, or one another over and over")
        if isinstance(value, np.ndarray):
            self._budget.take(value.nbytes)
            self._tensors[name] = np.asarray(value)
        elif isinstance(value, dict):
            for key, member in value.items():
                self._collect(member, f"{name}/{key}" if name else str(key), depth + 1)
        elif isinstance(value, (list, tuple)):
            for number, member in enumerate(value):
                self._collect(member, f"{name}/{number}" if name else str(number), depth + 1)
        elif not isinstance(value, (str, int, float, bool, type(None))):
            raise UserError(
                f"{self._budget.path}: entry {name!r} is a {type(value).__name__}, not an array"
            )
