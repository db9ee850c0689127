"""GPT-2's byte-level byte-pair subwords (Radford et al. 2019), from the checkpoint's two files."""

import dataclasses
import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import PADDING_LABEL, Features, TokenRows, as_texts
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import from_json, hub, named_text
from groundwork.errors import UserError
from groundwork.stores import mirror

END_OF_TEXT = "<|endoftext|>"
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
# GPT-2's own pattern where no table of Unicode is asked; faster than the walk over characters.
_OF_ASCII = re.compile(
    rf"{'|'.join(_CONTRACTIONS)}| ?[A-Za-z]+| ?[0-9]+| ?[^ A-Za-z0-9]+| +(?![^ ])| +"
)


@dataclasses.dataclass(frozen=True)
class BytePairs:
    """`pieces` by id; `merges` from first to last rank."""

    pieces: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        return len(self.pieces)

    @property
    def end_of_text(self) -> int:
        return self._numbers[END_OF_TEXT]

    @property
    def unscored(self) -> tuple[int, ...]:
        return (self.end_of_text,)

    def ids(self, text: str) -> list[int]:
        return [number for chunk in chunks(text) for number in self._chunk(chunk)]

    def _chunk(self, chunk: str) -> tuple[int, ...]:
        if chunk not in self._known:
            letters = _byte_letters()
            parts = [letters[byte] for byte in chunk.encode("utf-8")]
            self._known[chunk] = tuple(self._numbers[part] for part in self._merged(parts))
        return self._known[chunk]

    def _merged(self, parts: list[str]) -> list[str]:
        """Joins the neighbours of lowest rank, everywhere, until no pair is known."""
        while len(parts) > 1:
            pairs = set(itertools.pairwise(parts))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == best:
                    joined[-1] += part
                else:
                    joined.append(part)
            parts = joined
        return parts

    @functools.cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces)}

    @functools.cached_property
    def _ranks(self) -> Mapping[tuple[str, str], int]:
        return {pair: rank for rank, pair in enumerate(self.merges)}

    @functools.cached_property
    def _known(self) -> dict[str, tuple[int, ...]]:
        return {}

    def __reduce__(self) -> tuple[object, ...]:  # The tables do not travel.
        return BytePairs, (self.pieces, self.merges)


def chunks(text: str) -> list[str]:
    """Cuts where GPT-2 cuts: contractions, letters, digits, signs, with one blank before each."""
    if text.isascii() and text.isprintable():
        return _OF_ASCII.findall(text)
    return list(walked(text))


def walked(text: str) -> Iterator[str]:
    """The chunks of any text."""
    start = 0
    while start < len(text):
        end = _end_of_chunk(text, start)
        yield text[start:end]
        start = end


def _end_of_chunk(text: str, start: int) -> int:
    for contraction in _CONTRACTIONS:
        if text.startswith(contraction, start):
            return start + len(contraction)
    first = start
    if text[start] == " " and start + 1 < len(text) and _kind(text[start + 1]) != "blank":
        first = start + 1
    kind = _kind(text[first])
    end = first + 1
    while end < len(text) and _kind(text[end]) == kind:
        end += 1
    # Of several blanks before a word, the last goes with the word or is alone.
    if kind == "blank" and end < len(text) and end - start > 1:
        return end - 1
    return end


def _kind(character: str) -> str:
    # Python takes four signs of control for blanks that Unicode, and GPT-2, do not.
    if character.isspace() and character not in "\x1c\x1d\x1e\x1f":
        return "blank"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "sign")


@functools.cache
def _byte_letters() -> tuple[str, ...]:
    """A visible letter for each byte: itself where it is visible, otherwise one from 256 on."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters = []
    hidden = 256
    for byte in range(256):
        letters.append(chr(byte) if byte in shown else chr(hidden))
        hidden += byte not in shown
    return tuple(letters)


def read_byte_pairs(vocabulary: Path, merges: Path) -> BytePairs:
    """The `vocab.json` and `merges.txt` that come with a published GPT-2 checkpoint."""
    try:
        numbers = from_json.file(vocabulary)
        pieces = sorted(numbers, key=numbers.__getitem__)
        ordered = [numbers[piece] for piece in pieces] == list(range(len(pieces)))
    except OSError as error:
        raise UserError(f"--vocabulary={vocabulary} cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"--vocabulary={vocabulary} is not JSON from subword to id") from None
    if not ordered or END_OF_TEXT not in numbers:
        raise UserError(
            f"--vocabulary={vocabulary} must number its subwords from 0 and hold {END_OF_TEXT!r}"
        )
    pairs = _read_merges(merges)
    unknown = next((first + second for first, second in pairs if first + second not in numbers), "")
    if unknown:
        raise UserError(f"--merges={merges} makes {unknown!r}, which {vocabulary} does not hold")
    return BytePairs(tuple(pieces), pairs)


def _read_merges(file: Path) -> tuple[tuple[str, str], ...]:
    lines = named_text.read("--merges", file).split("\n")
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#version"):
            continue
        parts = line.split(" ")
        if len(parts) != 2:
            raise UserError(f"--merges={file}, line {number}: not two subwords: {line!r}")
        pairs.append((parts[0], parts[1]))
    return tuple(pairs)


@dataclasses.dataclass(frozen=True)
class BytePairSequences(TokenRows):
    """x: `length` subwords of a text from <|endoftext|>; y: those that follow, ending with it.

    Rows are padded with <|endoftext|>: to the right of the text a causal model never looks at it.
    """

    vocabulary: BytePairs
    length: int

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        texts = as_texts(features["text"])
        edge = self.vocabulary.end_of_text
        x = np.full((len(texts), self.length), edge, np.int32)
        y = np.full((len(texts), self.length), PADDING_LABEL, np.int32)
        for number, text in enumerate(texts):
            row = [edge, *self.vocabulary.ids(text), edge][: self.length + 1]
            x[number, : len(row) - 1] = row[:-1]
            y[number, : len(row) - 1] = row[1:]
        return x, y


@dataclasses.dataclass(frozen=True)
class BytePairText:
    """Makes the encoder from the user's two files."""

    length: int

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> BytePairSequences:
        vocabulary, merges = options.vocabulary, options.merges
        if vocabulary is not None and vocabulary.startswith(hub.PREFIX):
            name = vocabulary.removeprefix(hub.PREFIX)
            vocabulary, merges = (
                str(hub.find(name, (file,), "vocabulary")) for file in ("vocab.json", "merges.txt")
            )
        if vocabulary is None or merges is None:
            raise UserError(
                "this model reads GPT-2's subwords: give --vocabulary=vocab.json and "
                "--merges=merges.txt of its checkpoint, or --vocabulary=hub:NAME"
            )
        pairs = read_byte_pairs(mirror.here(vocabulary), mirror.here(merges))
        return BytePairSequences(pairs, options.sequence_length or self.length)
