"""NumPy archives (.npz) and pickled dictionaries of arrays, read without running their code."""

import zipfile
from typing import Any

import numpy as np

from groundwork import unpickling
from groundwork.errors import UserError


def read_npz(path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a whole .npz archive of plain arrays ({error})") from error


def read_pickle(path: str) -> dict[str, np.ndarray]:
    """A dictionary of arrays, or of lists of arrays; list members are named KEY/0, KEY/1, ..."""
    with open(path, "rb") as file:
        content = unpickling.load(file, unpickling.numpy_globals(), name=path)
    tensors: dict[str, np.ndarray] = {}
    _collect(content, "", tensors, path)
    return tensors


def _collect(value: Any, name: str, tensors: dict[str, np.ndarray], path: str) -> None:
    if isinstance(value, np.ndarray):
        tensors[name] = value
    elif isinstance(value, dict):
        for key, member in value.items():
            _collect(member, f"{name}/{key}" if name else str(key), tensors, path)
    elif isinstance(value, (list, tuple)):
        for number, member in enumerate(value):
            _collect(member, f"{name}/{number}" if name else str(number), tensors, path)
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise UserError(f"{path}: entry {name!r} is a {type(value).__name__}, not an array")
