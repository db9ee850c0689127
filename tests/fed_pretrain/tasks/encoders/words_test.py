"""Word ids against TFF's own Stack Overflow preprocessing, and LEAF's sequences by hand."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_federated.python.simulation.baselines.stackoverflow import (
    word_prediction_preprocessing as tff_preprocessing,
)

from fed_pretrain.tasks.encoders.words import WordSequences, WordVocabulary, read_vocabulary
from groundwork.errors import UserError

VOCABULARY = WordVocabulary(("the", "of", "to", "and"))


def encode(encoder, *texts, **more):
    features = {"text": np.array([text.encode() for text in texts], object)}
    features |= {name: np.array([t.encode() for t in values]) for name, values in more.items()}
    return encoder.encode(features)


@settings(deadline=None, max_examples=8)
@given(
    sentences=st.lists(
        st.lists(st.sampled_from(["the", "of", "to", "and", "zebra"]), min_size=1, max_size=9),
        min_size=1,
        max_size=5,
    ),
    length=st.integers(2, 8),
)
def test_ids_equal_those_of_tffs_stack_overflow_baseline(sentences, length):
    texts = [" ".join(sentence) for sentence in sentences]
    to_ids = tff_preprocessing.build_to_ids_fn(list(VOCABULARY.words), length)
    dataset = tf.data.Dataset.from_tensor_slices({"tokens": texts}).map(to_ids)
    (expected_x, expected_y) = next(
        iter(tff_preprocessing.batch_and_split(dataset, length, len(texts)))
    )
    x, y = encode(WordSequences(VOCABULARY, length), *texts)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(np.where(y < 0, 0, y), expected_y)
    np.testing.assert_array_equal(y < 0, expected_y.numpy() == 0)


def test_the_special_ids_are_tffs():
    special = tff_preprocessing.get_special_tokens(4)
    assert [VOCABULARY.oov] == special.out_of_vocab
    assert VOCABULARY.bos == special.beginning_of_sentence
    assert VOCABULARY.eos == special.end_of_sentence
    encoder = WordSequences(VOCABULARY, 3)
    assert set(encoder.unscored) == {5, 6, 7}
    assert encoder.num_classes == 8


def test_a_long_comment_continues_in_further_rows():
    x, y = encode(WordSequences(VOCABULARY, 3, split_long=True), "the of to and the", "of")
    assert x.tolist() == [[6, 1, 2], [3, 4, 1], [6, 2, 7]]
    assert y.tolist() == [[1, 2, 3], [4, 1, 7], [2, 7, -1]]


def test_leafs_own_sequences_are_taken_as_they_are():
    encoder = WordSequences(VOCABULARY, 4, leaf_sequences=True)
    x, y = encode(encoder, "<BOS> the zebra <PAD>", target=["the zebra <EOS> <PAD>"])
    assert x.tolist() == [[6, 1, 5, 0]]
    assert y.tolist() == [[1, 5, 7, -1]]


def test_the_table_does_not_travel_with_a_pickle():
    VOCABULARY.ids(["the"])
    again = pickle.loads(pickle.dumps(VOCABULARY))
    assert again == VOCABULARY
    assert "_numbers" not in vars(again)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("v.json", '{"words": ["the", "of", "to"]}'),
        ("v.json", '["the", "of", "to"]'),
        ("v.txt", "the 30\nof 20\n\nto 10\n"),
        ("v.txt", "the\nof\nto\n"),
    ],
)
def test_vocabulary_files_are_read_to_the_wanted_size(tmp_path: Path, name, content):
    file = tmp_path / name
    file.write_text(content)
    assert read_vocabulary(file, 2).words == ("the", "of")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("v.json", "{}", "list of words"),
        ("v.json", "[1]", "list of words"),
        ("v.txt", "", "no words"),
        ("v.txt", "the\nthe\n", "twice"),
    ],
)
def test_a_file_that_is_no_word_vocabulary_is_named(tmp_path: Path, name, content, says):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(UserError, match=rf"--vocabulary=.*{name}.*{says}"):
        read_vocabulary(file, 9)
    with pytest.raises(UserError, match="cannot be read"):
        read_vocabulary(tmp_path / "absent.txt", 9)
