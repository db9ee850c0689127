"""Spelled words, by hand."""

import numpy as np

from fed_pretrain.tasks.encoders.characters import CharacterVocabulary
from fed_pretrain.tasks.encoders.word_characters import SpelledSequences
from fed_pretrain.tasks.encoders.words import WordSequences, WordVocabulary

WORDS = WordSequences(WordVocabulary(("ab", "b")), 3)
# Padding 0, a 1, b 2, unknown 3, begin 4, end 5, sentence begin 6, sentence end 7.
ENCODER = SpelledSequences(WORDS, word_length=4, characters=CharacterVocabulary("ab"))


def test_each_word_is_spelled_between_its_own_begin_and_end():
    x, y = ENCODER.encode({"text": np.array([b"b xaab"])})
    assert x.tolist() == [[[6, 0, 0, 0], [4, 2, 5, 0], [4, 3, 1, 5]]]
    assert y.tolist() == [[2, 3, 5]]
    assert ENCODER.num_characters == 8
    assert ENCODER.x_shape == (3, 4)


def test_targets_are_those_of_the_word_model():
    texts = {"text": np.array([b"ab", b"", b"b b b b"])}
    np.testing.assert_array_equal(ENCODER.encode(texts)[1], WORDS.encode(texts)[1])
    assert ENCODER.unscored == WORDS.unscored
