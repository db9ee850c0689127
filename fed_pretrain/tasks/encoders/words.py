"""Words as ids by TFF's convention, and the sequences a next-word model reads."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_prep.sources.parsing import vocabulary
from data_prep.sources.parsing.vocabulary import split_at_spaces
from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import PADDING_LABEL, Features, TokenRows, as_texts
from fed_pretrain.tasks.definition import TaskOptions, where
from groundwork import embedded_packages, from_json, named_text
from groundwork.errors import UserError
from groundwork.stores import mirror

PADDING = 0
PUBLIC_VECTORS = "glove"
DEFAULT_VOCABULARY_SIZE = 10_000
# The words for padding and a sentence's ends, as LEAF writes them.
LEAF_PADDING, LEAF_BEGIN, LEAF_END = "<PAD>", "<BOS>", "<EOS>"

Tokenizer = Callable[[str], list[str]]


@dataclasses.dataclass(frozen=True)
class WordVocabulary:
    """pad 0, words 1..V, oov V+1, bos V+2, eos V+3, as TFF's Stack Overflow baseline has it."""

    words: tuple[str, ...]
    origin: str = ""

    @property
    def oov(self) -> int:
        return len(self.words) + 1

    @property
    def bos(self) -> int:
        return len(self.words) + 2

    @property
    def eos(self) -> int:
        return len(self.words) + 3

    @property
    def unscored(self) -> tuple[int, ...]:
        return self.oov, self.bos, self.eos

    @property
    def size(self) -> int:
        return len(self.words) + 4

    def ids(self, tokens: Sequence[str]) -> list[int]:
        known, oov = self._numbers, self.oov
        return [known.get(token, oov) for token in tokens]

    @functools.cached_property
    def _numbers(self) -> Mapping[str, int]:
        numbers = {word: number for number, word in enumerate(self.words, start=1)}
        special = {LEAF_PADDING: PADDING, LEAF_BEGIN: self.bos, LEAF_END: self.eos}
        return {**numbers, **special}

    def __reduce__(self) -> tuple[object, ...]:  # The table does not travel.
        return WordVocabulary, (self.words, self.origin)


@dataclasses.dataclass(frozen=True)
class WordSequences(TokenRows):
    """x: `length` ids of a text from its beginning-of-sentence; y: the ids that follow them.

    A text that is longer is cut (TFF), or continued in further rows (`split_long`, LEAF). Where the
    dataset holds LEAF's own sequences (a field `target`), they are taken as they are.
    """

    vocabulary: WordVocabulary
    length: int
    split_long: bool = False
    tokenizer: Tokenizer = split_at_spaces
    leaf_sequences: bool = False

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        rows, y = self.token_rows(features)
        return self._ids(rows), y

    def token_rows(self, features: Features) -> tuple[list[list[str]], np.ndarray]:
        """The input words of each row, and the target ids (-1 where none counts).

        The beginning and the end of a sentence are the words that LEAF writes for them.
        """
        texts = as_texts(features["text"])
        if self.leaf_sequences:
            targets = [text.split() for text in as_texts(features["target"])]
            inputs = [text.split()[: self.length] for text in texts]
        else:
            rows = [row for text in texts for row in self._rows(text)]
            inputs, targets = [row[: self.length] for row in rows], [row[1:] for row in rows]
        ids = self._ids([row[: self.length] for row in targets])
        return inputs, np.where(ids == PADDING, PADDING_LABEL, ids)

    def _rows(self, text: str) -> list[list[str]]:
        """Each row has up to length + 1 words: inputs and, one further, targets."""
        sentence = [LEAF_BEGIN, *self.tokenizer(text), LEAF_END]
        if not self.split_long:
            return [sentence[: self.length + 1]]
        starts = range(0, len(sentence) - 1, self.length)
        return [sentence[start : start + self.length + 1] for start in starts]

    def _ids(self, rows: list[list[str]]) -> np.ndarray:
        ids = np.zeros((len(rows), self.length), np.int32)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = self.vocabulary.ids(row)
        return ids


@dataclasses.dataclass(frozen=True)
class Words:
    """Makes the encoder of a text dataset by the task's habits."""

    length: int
    split_long: bool = False

    def __call__(self, dataset: PreparedDataset, options: TaskOptions) -> WordSequences:
        fields = {feature.name for feature in dataset.manifest.features}
        return WordSequences(
            vocabulary_of(dataset, options),
            options.sequence_length or self.length,
            self.split_long,
            vocabulary.tokenizer(dataset.manifest.extra),
            leaf_sequences="target" in fields,
        )


def vocabulary_of(dataset: PreparedDataset, options: TaskOptions) -> WordVocabulary:
    """The user's file, public vectors by name, or what data_prep counted beside the dataset."""
    size = options.vocabulary_size or DEFAULT_VOCABULARY_SIZE
    if options.vocabulary == PUBLIC_VECTORS:
        return public_vocabulary(size)
    if options.vocabulary is not None:
        return read_vocabulary(mirror.here(options.vocabulary), size)
    beside = dataset.path / vocabulary.FILE
    if beside.exists():
        return read_vocabulary(beside, size)
    if embedded_packages.available(PUBLIC_VECTORS):
        return public_vocabulary(size)
    raise UserError(
        f"dataset {where(dataset)} has no {vocabulary.FILE}: prepare it with "
        f"--vocabulary={vocabulary.COUNTED}, or give --vocabulary=FILE (a word a line, the most "
        f"frequent first), or --vocabulary={PUBLIC_VECTORS} after "
        f"`{embedded_packages.command(large=True)}`"
    )


def public_vocabulary(size: int) -> WordVocabulary:
    """The first words of public vectors: nothing is counted on private data."""
    words, described = vocabulary.build(f"{PUBLIC_VECTORS}:{size}")
    return WordVocabulary(tuple(words), origin=described["origin"])


def read_vocabulary(file: Path, size: int) -> WordVocabulary:
    """JSON with a list `words` (or that list alone), or lines of `word` or `word count`."""
    content = named_text.read("--vocabulary", file)
    if file.suffix == ".json":
        words = _json_words(file, content)
    else:
        words = [line.split()[0] for line in content.splitlines() if line.strip()]
    if not words:
        raise UserError(f"--vocabulary={file} holds no words")
    kept = tuple(words[:size])
    if len(set(kept)) != len(kept):
        raise UserError(f"--vocabulary={file} holds the same word twice")
    return WordVocabulary(kept, origin=str(file))


def _json_words(file: Path, content: str) -> list[str]:
    try:
        value = from_json.text(content)
        words = value["words"] if isinstance(value, dict) else value
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    except (ValueError, KeyError):
        pass
    raise UserError(f"--vocabulary={file} is not JSON with a list of words under 'words'")
