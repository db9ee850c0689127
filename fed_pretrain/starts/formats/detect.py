"""Which format a file has, by its bytes and not by its name; and its tensors."""

import os
import pathlib
import struct
import zipfile

from fed_pretrain.starts.formats import (
    facts,
    keras_h5,
    keras_zip,
    numpy_file,
    run_checkpoint,
    safetensors_file,
    torch_file,
)
from fed_pretrain.starts.formats.source_file import SourceFile
from groundwork import array_file, hub
from groundwork.errors import UserError, words_of
from groundwork.stores import mirror

_KNOWN = (
    "Keras .h5, .keras, SavedModel, TensorFlow checkpoint, a run's .ckpt, PyTorch .pth/.bin, "
    ".safetensors, .npz"
)
_IN_FOLDERS = (
    "model.safetensors",
    hub.SHARDS,
    "pytorch_model.bin",
    "model.keras",
    "model.weights.h5",
)


def read(path: str) -> SourceFile:
    """Reads any known weights file without running code that it may hold."""
    kind, file = detect(path)
    try:
        if kind == "checkpoint of a run":
            return SourceFile(file, kind, *run_checkpoint.read(file))
        tensors = _READERS[kind](file)
        metadata = _FACTS[kind](file) if kind in _FACTS else {}
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path}: this {kind} file does not fit into the memory") from error
    except Exception as error:  # a hostile or damaged file can raise anything
        raise UserError(
            f"{path}: not a whole {kind} file, it is damaged or truncated ({words_of(error)})"
        ) from error
    if not tensors:
        raise UserError(f"{path}: this {kind} file holds no tensors")
    return SourceFile(file, kind, tensors, metadata)


def detect(path: str) -> tuple[str, str]:
    """The format's name and the file (or prefix) to read, which is on this machine."""
    path = str(mirror.here(path))
    if os.path.isdir(path):
        return _detect_folder(pathlib.Path(path))
    if os.path.exists(path + ".index"):
        return "TensorFlow checkpoint", path
    if not os.path.isfile(path):
        raise UserError(f"--start=checkpoint:{path}: there is no such file")
    if path.endswith(".index") and os.path.exists(f"{path[:-6]}.data-00000-of-00001"):
        return "TensorFlow checkpoint", path[:-6]
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(32)
    kind = _by_head(head, size, path)
    if kind is None:
        raise UserError(f"{path}: the format is not recognised; known are {_KNOWN}")
    return kind, path


def _by_head(head: bytes, size: int, path: str) -> str | None:
    if head.startswith(array_file.MAGIC):
        return "checkpoint of a run"
    if head.startswith(keras_h5.MAGIC):
        return "Keras HDF5"
    if head.startswith(b"PK\x03\x04"):
        return _by_members(path)
    if head.startswith(torch_file.LEGACY_START):
        return "PyTorch legacy"
    if head.startswith(b"{") and path.endswith(hub.SHARDS):
        return "safetensors in shards"
    if safetensors_file.looks_like(head, size):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle of arrays"
    return None


def _by_members(path: str) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise UserError(f"{path}: a damaged or truncated zip archive ({error})") from error
    if keras_zip.WEIGHTS in members:
        return "Keras archive"
    if any(name.endswith("/data.pkl") for name in members):
        return "PyTorch zip"
    if members and all(name.endswith(".npy") for name in members):
        return "NumPy archive"
    return None


def _detect_folder(folder: pathlib.Path) -> tuple[str, str]:
    if (folder / "saved_model.pb").exists():
        return "SavedModel", str(folder)
    if (folder / "checkpoints").is_dir() or any(folder.glob("round-*.ckpt")):
        return "checkpoint of a run", run_checkpoint.result_of(str(folder))
    if (folder / "checkpoint").is_file():
        return "TensorFlow checkpoint", str(folder)
    for name in _IN_FOLDERS:
        if (folder / name).is_file():
            return detect(str(folder / name))
    raise UserError(f"{folder}: this folder holds no weights in a known format ({_KNOWN})")


def _read_tf_checkpoint(path: str):  # type: ignore[no-untyped-def]
    from fed_pretrain.starts.formats import tf_checkpoint  # TensorFlow only where it is needed

    return tf_checkpoint.read(path)


def _read_saved_model(path: str):  # type: ignore[no-untyped-def]
    from fed_pretrain.starts.formats import tf_checkpoint

    return tf_checkpoint.read_saved_model(path)


_READERS = {
    "Keras HDF5": keras_h5.read,
    "Keras archive": keras_zip.read,
    "SavedModel": _read_saved_model,
    "TensorFlow checkpoint": _read_tf_checkpoint,
    "PyTorch zip": torch_file.read_zip,
    "PyTorch legacy": torch_file.read_legacy,
    "safetensors": safetensors_file.read,
    "safetensors in shards": safetensors_file.read_shards,
    "NumPy archive": numpy_file.read_npz,
    "pickle of arrays": numpy_file.read_pickle,
}
_FACTS = {
    "Keras archive": facts.of_archive,
    "SavedModel": facts.of_folder,
    "NumPy archive": numpy_file.read_facts,
}
