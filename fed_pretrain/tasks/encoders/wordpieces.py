"""BERT's uncased subwords: basic tokens, then the longest known pieces (Devlin et al. 2018)."""

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from groundwork import named_text
from groundwork.errors import UserError

PADDING, UNKNOWN, CLASSIFY, SEPARATE = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
CONTINUES = "##"
LONGEST_WORD = 100
# Where no table of Unicode is asked a pattern says the same, and faster.
_OF_ASCII = re.compile("[a-z0-9]+|[^ a-z0-9]")


@dataclasses.dataclass(frozen=True)
class WordpieceVocabulary:
    """The lines of a `vocab.txt`: a piece's id is its line number from 0."""

    pieces: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.pieces)

    def id(self, piece: str) -> int:
        return self._numbers[piece]

    def ids(self, text: str) -> list[int]:
        """The pieces of a text, without [CLS] and [SEP]."""
        known = self._known
        found: list[int] = []
        for word in basic_tokens(text):
            if word not in known:
                known[word] = self._word(word)
            found += known[word]
        return found

    def _word(self, word: str) -> list[int]:
        unknown = [self.id(UNKNOWN)]
        if len(word) > LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = CONTINUES if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return unknown
            found.append(number)
            start = end
        return found

    @functools.cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces)}

    @functools.cached_property
    def _known(self) -> dict[str, list[int]]:
        return {}

    def __reduce__(self) -> tuple[object, ...]:  # The tables do not travel.
        return WordpieceVocabulary, (self.pieces,)


def read_vocabulary(file: Path) -> WordpieceVocabulary:
    pieces = named_text.read("--vocabulary", file).removesuffix("\n").split("\n")
    missing = {PADDING, UNKNOWN, CLASSIFY, SEPARATE} - set(pieces)
    if missing:
        raise UserError(
            f"--vocabulary={file} is not a BERT vocab.txt: it lacks {', '.join(sorted(missing))}"
        )
    return WordpieceVocabulary(tuple(pieces))


def basic_tokens(text: str) -> list[str]:
    """Lower-case words without accents; each punctuation mark and ideograph alone."""
    if text.isascii() and text.isprintable():
        return _OF_ASCII.findall(text.lower())
    return spaced_tokens(text)


def spaced_tokens(text: str) -> list[str]:
    """The tokens of any text."""
    plain = unicodedata.normalize("NFD", text.lower())
    spaced = "".join(_spaced(character) for character in plain)
    return spaced.split()


def _spaced(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Mn" or character in "\x00\ufffd":
        return ""
    if character in "\t\n\r" or category == "Zs":
        return " "
    if category[0] == "C":
        return ""
    alone = _is_punctuation(character, category) or _is_ideograph(character)
    return f" {character} " if alone else character


def _is_punctuation(character: str, category: str) -> bool:
    """BERT counts every visible ASCII character that is neither a letter nor a digit."""
    return category[0] == "P" or (character.isascii() and not character.isalnum())


_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def _is_ideograph(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _IDEOGRAPHS)
