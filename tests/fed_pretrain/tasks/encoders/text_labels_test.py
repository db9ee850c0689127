"""Texts with labels."""

import zlib

import numpy as np
import pytest

from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.text_labels import (
    HashedWords,
    LabelledWordpieces,
    Labels,
    wordpiece_vocabulary,
)
from fed_pretrain.tasks.encoders.wordpieces import WordpieceVocabulary
from groundwork import embedded_packages
from groundwork.errors import UserError

LABELS = Labels("prompt", ("cats", "dogs"), numbered=False)
FEATURES = {
    "text": np.array([b"Hi, hi!", b"", b"one two three four"]),
    "prompt": np.array([b"dogs", b"cats", b"cats"]),
}


def test_words_are_hashed_by_crc32_into_the_buckets_from_one():
    encoder = HashedWords(LABELS, 4, buckets=10)
    x, y = encoder.encode(FEATURES)
    assert x[0].tolist() == [zlib.crc32(w) % 10 + 1 for w in (b"hi", b",", b"hi", b"!")]
    assert x[1].tolist() == [0, 0, 0, 0]
    assert y.tolist() == [1, 0, 0]
    assert encoder.vocab_size == 11
    assert encoder.label_names == ("cats", "dogs")


def test_examples_without_a_label_are_left_out():
    features = {**FEATURES, "prompt": np.array([b"birds", b"dogs", b"birds"])}
    x, y = HashedWords(LABELS, 4).encode(features)
    assert x.tolist() == [[0, 0, 0, 0]]
    assert y.tolist() == [1]


def test_subwords_stand_between_cls_and_sep_and_are_cut_to_fit():
    pieces = WordpieceVocabulary(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "hi", "one", "two", "three"))
    x, _ = LabelledWordpieces(LABELS, 4, pieces).encode(FEATURES)
    assert x.tolist() == [[2, 4, 1, 3], [2, 3, 0, 0], [2, 5, 6, 3]]


def test_numbered_labels_are_taken_as_numbers():
    labels = Labels("label", ("a", "b", "c"), numbered=True)
    assert labels.of({"label": np.array([2, 0], np.int64)}).tolist() == [2, 0]


@pytest.mark.skipif(embedded_packages.available("minilm"), reason="the large package is unpacked")
def test_without_the_large_package_a_sentence_says_how_to_get_it():
    with pytest.raises(UserError, match="fetch_embedded --large"):
        wordpiece_vocabulary(TaskOptions())
