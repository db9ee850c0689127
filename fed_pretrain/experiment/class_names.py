"""What the outputs of a task's model mean: labels, or the entries of its vocabulary."""

from typing import Any

from fed_pretrain.tasks.byte_pairs import BytePairs
from fed_pretrain.tasks.characters import CharacterVocabulary
from fed_pretrain.tasks.task import Task
from fed_pretrain.tasks.words import LEAF_BEGIN, LEAF_END, LEAF_PADDING, WordVocabulary


def class_names(task: Task) -> list[str]:
    """One name an output, in the order of the outputs; empty where nobody knows."""
    if task.label_names:
        return list(task.label_names)
    names = _entries(task.encoder)
    return names if len(names) == task.num_classes else []


def _entries(holder: Any) -> list[str]:
    if isinstance(holder, CharacterVocabulary):
        return list(holder.names())
    if isinstance(holder, WordVocabulary):
        return [LEAF_PADDING, *holder.words, "<OOV>", LEAF_BEGIN, LEAF_END]
    if isinstance(holder, BytePairs):
        return list(holder.pieces)
    # A language model's outputs are the entries that its inputs, or its target words, come from.
    inner = getattr(holder, "words", None) or getattr(holder, "vocabulary", None)
    return _entries(inner) if inner is not None else []
