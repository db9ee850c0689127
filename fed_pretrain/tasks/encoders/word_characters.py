"""Words spelled out: what a character-aware word model reads (CharLM, Kim et al. 2016)."""

import dataclasses

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import Encoder, Features
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.characters import PRINTABLE, CharacterVocabulary
from fed_pretrain.tasks.encoders.words import (
    LEAF_BEGIN,
    LEAF_END,
    LEAF_PADDING,
    Words,
    WordSequences,
)
from groundwork.untyped import Json

DEFAULT_WORD_LENGTH = 16


@dataclasses.dataclass(frozen=True)
class SpelledSequences(Encoder):
    """x: the characters of each word of a sequence; y: the ids of the words that follow.

    A word is: begin, its characters (cut to fit), end, padding 0. The beginning and the end of a
    sentence are words of one sign of their own. The words of y are those of `words`.
    """

    words: WordSequences
    word_length: int = DEFAULT_WORD_LENGTH
    characters: CharacterVocabulary = dataclasses.field(
        default_factory=lambda: CharacterVocabulary(PRINTABLE)
    )

    x_dtype = "int32"

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.words.length, self.word_length)

    @property
    def y_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.words.length,)

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return self.words.num_classes

    @property
    def unscored(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.words.unscored

    @property
    def num_characters(self) -> int:
        """Padding, the characters, unknown, begin, end, and the two ends of a sentence."""
        return len(self.characters.characters) + 6

    def model_arguments(self) -> dict[str, Json]:
        return {
            "vocab_size": self.num_characters,
            "sequence_length": self.words.length,
            "word_length": self.word_length,
        }

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        rows, y = self.words.token_rows(features)
        x = np.zeros((len(rows), *self.x_shape), np.int32)
        spelled: dict[str, np.ndarray] = {}
        for number, row in enumerate(rows):
            for position, token in enumerate(row):
                if token not in spelled:
                    spelled[token] = self.spell(token)
                x[number, position] = spelled[token]
        return x, y

    def spell(self, token: str) -> np.ndarray:
        unknown = len(self.characters.characters) + 1
        begin, end, sentence_begin, sentence_end = range(unknown + 1, unknown + 5)
        ids = np.zeros(self.word_length, np.int32)
        if token == LEAF_PADDING:
            return ids
        whole = {LEAF_BEGIN: [sentence_begin], LEAF_END: [sentence_end]}.get(token)
        if whole is None:
            letters = self.characters.ids(token)[: self.word_length - 2]
            whole = [begin, *np.where(letters == 0, unknown, letters), end]
        ids[: len(whole)] = whole
        return ids


@dataclasses.dataclass(frozen=True)
class SpelledWords:
    """Makes the encoder of a text dataset by the task's habits."""

    length: int
    split_long: bool = False

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> SpelledSequences:
        words = Words(self.length, self.split_long)
        return SpelledSequences(words(dataset, options))
