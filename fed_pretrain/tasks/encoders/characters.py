"""Characters as ids, and the windows a next-character model reads."""

import dataclasses
import functools
import string
from pathlib import Path

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import PADDING_LABEL, Features, TokenRows, as_texts
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import embedded_packages, from_json
from groundwork.errors import UserError

PADDING = 0
UNKNOWN = 0
BOUNDARY = "<s>"
PRINTABLE = string.printable[:95] + "\n"
"""The vocabulary where the embedded one is absent: ASCII that shows, blank and newline."""
DEFAULT_WINDOW = 40


@dataclasses.dataclass(frozen=True)
class CharacterVocabulary:
    """Ids from 1 in the given order; the boundary of a text comes after the last character."""

    characters: str

    @property
    def boundary(self) -> int:
        return len(self.characters) + 1

    @property
    def unscored(self) -> tuple[int, ...]:
        return (self.boundary,)

    @property
    def size(self) -> int:
        """Ids in all: padding, the characters, the boundary."""
        return len(self.characters) + 2

    def ids(self, text: str) -> np.ndarray:
        """int32 ids, 0 for a character the vocabulary lacks."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        table = _table(self.characters)
        return table[np.minimum(points, len(table) - 1)]

    def names(self) -> tuple[str, ...]:
        return ("", *self.characters, BOUNDARY)


@functools.lru_cache(maxsize=4)
def _table(characters: str) -> np.ndarray:
    """From code point to id; the last entry stands for every larger code point."""
    table = np.zeros(max(map(ord, characters)) + 2, dtype=np.int32)
    for number, character in enumerate(characters, start=1):
        table[ord(character)] = number
    return table


def embedded_vocabulary() -> CharacterVocabulary | None:
    """The public vocabulary of the embedded character model, if its package is unpacked."""
    if not embedded_packages.available("textgenrnn"):
        return None
    file = embedded_packages.path("textgenrnn", "textgenrnn/textgenrnn_vocab.json")
    return read_vocabulary(str(file))


def read_vocabulary(file: str) -> CharacterVocabulary:
    """A JSON object from character to id; ids must count from 1, '<s>' must be the last."""
    try:
        ids = from_json.file(Path(file))
        ordered = sorted(ids, key=ids.__getitem__)
    except OSError as error:
        raise UserError(f"--vocabulary={file} cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"--vocabulary={file} is not a JSON object from character to id") from None
    characters = ordered[:-1]
    if (
        not characters
        or ordered[-1] != BOUNDARY
        or any(len(character) != 1 for character in characters)
        or [ids[character] for character in ordered] != list(range(1, len(ordered) + 1))
    ):
        raise UserError(
            f"--vocabulary={file} must number single characters from 1 and {BOUNDARY!r} last"
        )
    return CharacterVocabulary("".join(characters))


@dataclasses.dataclass(frozen=True)
class CharacterWindows(TokenRows):
    """x: the last `length` ids, padded on the left; y: the id that comes next.

    A text is its characters between two boundaries; a next character outside the vocabulary does
    not count.
    """

    vocabulary: CharacterVocabulary
    length: int = DEFAULT_WINDOW
    field: str = "text"

    y_shape = ()

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        pairs = [self._windows(text) for text in as_texts(features[self.field])]
        if not pairs:
            return np.zeros((0, self.length), np.int32), np.zeros(0, np.int32)
        return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])

    def _windows(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        ids = self.vocabulary.ids(text)
        edge = np.array([self.vocabulary.boundary], np.int32)
        left = np.concatenate([np.zeros(self.length - 1, np.int32), edge, ids])
        following = np.concatenate([ids, edge])
        windows = np.lib.stride_tricks.sliding_window_view(left, self.length)
        return windows, np.where(following == UNKNOWN, PADDING_LABEL, following)


def character_windows(dataset: PreparedDataset, options: TaskOptions) -> CharacterWindows:
    """Windows over the user's, the embedded, or the printable ASCII vocabulary."""
    if options.vocabulary is not None:
        vocabulary = read_vocabulary(options.vocabulary)
    else:
        vocabulary = embedded_vocabulary() or CharacterVocabulary(PRINTABLE)
    return CharacterWindows(vocabulary, options.sequence_length or DEFAULT_WINDOW)
