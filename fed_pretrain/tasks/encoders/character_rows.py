"""A text as one row of characters, for models that predict at every place of it."""

import dataclasses

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import PADDING_LABEL, Features, TokenRows, as_texts
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.characters import (
    PADDING,
    PRINTABLE,
    UNKNOWN,
    CharacterVocabulary,
    read_vocabulary,
)

DEFAULT_LENGTH = 64


@dataclasses.dataclass(frozen=True)
class CharacterRows(TokenRows):
    """x: the boundary and the first characters of a text; y: what follows each of them.

    A text that is longer is cut; the places after a shorter one do not count, nor does a next
    character outside the vocabulary.
    """

    vocabulary: CharacterVocabulary
    length: int = DEFAULT_LENGTH
    field: str = "text"

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        texts = as_texts(features[self.field])
        x = np.full((len(texts), self.length), PADDING, np.int32)
        y = np.full((len(texts), self.length), PADDING_LABEL, np.int32)
        edge = [self.vocabulary.boundary]
        for row, text in enumerate(texts):
            ids = self.vocabulary.ids(text[: self.length])
            whole = np.concatenate([edge, ids, edge])[: self.length + 1]
            x[row, : len(whole) - 1] = whole[:-1]
            y[row, : len(whole) - 1] = np.where(whole[1:] == UNKNOWN, PADDING_LABEL, whole[1:])
        return x, y


def character_rows(dataset: PreparedDataset, options: TaskOptions) -> CharacterRows:
    """Rows over the user's vocabulary or printable ASCII."""
    vocabulary = CharacterVocabulary(PRINTABLE)
    if options.vocabulary is not None:
        vocabulary = read_vocabulary(options.vocabulary)
    return CharacterRows(vocabulary, options.sequence_length or DEFAULT_LENGTH)
