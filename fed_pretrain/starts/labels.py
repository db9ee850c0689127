"""What inputs and outputs mean: whether a file's classes and vocabulary are the task's."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fed_pretrain.clients.encoder import Encoder
from groundwork.errors import UserError
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task

# What the vocabularies of the tasks call their entries.
_ENTRIES = ("words", "characters", "pieces", "merges")


def describe(task: "Task", preprocessing: str | None) -> dict[str, Json]:
    """The metadata of a checkpoint that a later start reads."""
    return {
        "task": task.name,
        "model": task.model_name,
        "num_classes": int(task.num_classes),
        "label_names": list(task.label_names) if task.label_names else None,
        "preprocessing": preprocessing,
        "vocabulary_sha256": vocabulary_digest(task),
    }


def is_language_model(task: "Task") -> bool:
    """The classes are the vocabulary (a sequence of labels, or as many classes as ids)."""
    if task.kind != "text":
        return False
    ids = task.encoder.model_arguments().get("vocab_size")
    return task.encoder.y_shape != () or ids == task.num_classes


def same(task: "Task", metadata: Mapping[str, Json]) -> bool:
    """Whether a file's classes are this task's: by name, or by the task where they have none."""
    if metadata.get("num_classes") != task.num_classes:
        return False
    theirs, ours = list(metadata.get("label_names") or ()), list(task.label_names or ())
    return theirs == ours if theirs or ours else metadata.get("task") == task.name


def vocabulary_digest(task: "Task") -> str | None:
    """Two vocabularies of equal size would fit each other's embedding rows without a word."""
    entries = vocabulary(task.encoder)
    if entries is None:
        return None
    return hashlib.sha256("\0".join(map(str, entries)).encode("utf-8")).hexdigest()


def vocabulary(encoder: object, parts: Sequence[str] = _ENTRIES) -> Sequence[str] | None:
    """The entries of the vocabulary that an encoder, or one inside it, holds; None without any."""
    if not dataclasses.is_dataclass(encoder):
        return None
    held = [getattr(encoder, field.name) for field in dataclasses.fields(encoder)]
    for value in held:
        for part in parts:
            entries = getattr(value, part, None)
            if isinstance(entries, (tuple, list, str)):
                return entries
    inner = (vocabulary(value, parts) for value in held if isinstance(value, Encoder))
    return next((entries for entries in inner if entries is not None), None)


def check_vocabulary(task: "Task", metadata: Mapping[str, Json], path: str) -> None:
    """Refuses weights whose rows mean other words than the task's."""
    theirs, ours = metadata.get("vocabulary_sha256"), vocabulary_digest(task)
    if theirs is not None and ours is not None and theirs != ours:
        raise UserError(
            f"{path}: its vocabulary is not that of task {task.name!r}, so its rows mean other "
            "words: prepare both with the same --vocabulary"
        )
