"""Where the tensors of a start come from: a file, a package, keras.applications or a hub."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fed_pretrain.models import keras_application
from fed_pretrain.starts import schemes
from fed_pretrain.starts.formats import detect
from fed_pretrain.starts.formats.source_file import SourceFile
from fed_pretrain.starts.origins import embedded_weights, keras_weights, word_vectors
from groundwork import hub
from groundwork.errors import UserError, nearest
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task

_TOLD = ("task", "model", "round", "proxy")
KINDS = ("checkpoint", "package", "keras", "hub")
_CHECKS = {"package": embedded_weights.check, "keras": keras_weights.check, "hub": hub.check}


@dataclasses.dataclass(frozen=True)
class Origin:
    """A read file with what the report says of it.

    partial: this kind of start never covers a whole model (word vectors), so gaps are expected.
    arguments: what the file makes of the model's own arguments (the width of word vectors).
    """

    file: SourceFile
    facts: dict[str, Json]
    partial: bool = False
    arguments: tuple[tuple[str, Json], ...] = ()

    @property
    def metadata(self) -> Mapping[str, Json]:
        return self.file.metadata


def read(spec: str, task: "Task") -> Origin:
    """Reads what `--start` names; the task says which vocabulary word vectors must follow."""
    kind, value = parse(spec)
    if kind == "checkpoint":
        file = detect.read(value)
    elif kind == "package":
        if value == "glove":
            return _word_vectors(spec)
        file = embedded_weights.read(value)
    elif kind == "keras":
        file = keras_weights.read(value, task.model_name)
    else:
        file = detect.read(str(hub.find(value)))
    facts = {
        "start": spec,
        "file": os.path.basename(file.path),
        "format": file.format,
        "file_sha256": _sha256(file.path),
        **{f"trained_{key}": file.metadata[key] for key in _TOLD if key in file.metadata},
    }
    return Origin(file, facts)


def _word_vectors(spec: str) -> Origin:
    """Fills one layer, and its width decides that of the layer."""
    file = word_vectors.read()
    facts = {"start": spec, "file": os.path.basename(file.path), "format": file.format}
    return Origin(file, facts, partial=True, arguments=(("embedding", word_vectors.width(file)),))


def check(spec: str) -> None:
    """Refuses what no file could make right; the file itself may be still to come."""
    if schemes.scheme_of(spec) is not None or "/" in spec.partition(":")[0]:
        return
    kind, value = parse(spec)
    if kind in _CHECKS:
        _CHECKS[kind](value)


def model_of(spec: str) -> str | None:
    """The only model that the start fits, where its name says so."""
    if schemes.scheme_of(spec) is not None or "/" in spec.partition(":")[0]:
        return None
    kind, value = parse(spec)
    if kind == "keras":
        return keras_application.PREFIX + value
    return embedded_weights.model_of(value) if kind == "package" else None


def parse(spec: str) -> tuple[str, str]:
    """KIND:VALUE; a bare path of an existing file is a checkpoint."""
    kind, separator, value = spec.partition(":")
    if kind in KINDS and separator and value:
        return kind, value
    if os.path.exists(spec):
        return "checkpoint", spec
    meant = "" if kind in KINDS else nearest(kind, ("random", *KINDS))
    raise UserError(
        f"--start is {spec!r}, must be random, checkpoint:PATH, package:NAME "
        f"({', '.join(embedded_weights.NAMES)}), keras:NAME or hub:NAME"
        f"{meant}"
    )


def _sha256(path: str) -> str | None:
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
