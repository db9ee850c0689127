"""Texts as rows, by hand, and the loss of such rows against NumPy."""

import pickle

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.character_rows import CharacterRows
from fed_pretrain.tasks.encoders.characters import CharacterVocabulary
from tests.fed_pretrain.tasks import miniature

EDGE = 4


def test_each_place_of_a_row_has_the_next_character_as_its_target():
    encoder = CharacterRows(CharacterVocabulary("abc"), length=4)
    x, y = encoder.encode({"text": np.array([b"ab", b"", b"abca", b"abcab"])})
    assert x.tolist() == [[EDGE, 1, 2, 0], [EDGE, 0, 0, 0], [EDGE, 1, 2, 3], [EDGE, 1, 2, 3]]
    assert y.tolist() == [[1, 2, EDGE, -1], [EDGE, -1, -1, -1], [1, 2, 3, 1], [1, 2, 3, 1]]
    assert (x.dtype, y.dtype) == (np.int32, np.int32)
    assert (encoder.num_classes, encoder.unscored) == (5, (EDGE,))


def test_a_character_outside_the_vocabulary_is_padding_to_read_and_no_target():
    encoder = CharacterRows(CharacterVocabulary("ab"), length=4)
    x, y = encoder.encode({"text": np.array(["a\N{GRINNING FACE}b".encode()])})
    assert x.tolist() == [[3, 1, 0, 2]]
    assert y.tolist() == [[1, -1, 2, 3]]


def test_a_client_without_texts_has_no_rows():
    x, y = CharacterRows(CharacterVocabulary("ab"), 5).encode({"text": np.array([], object)})
    assert x.shape == y.shape == (0, 5)


def test_the_encoder_pickles_small():
    encoder = CharacterRows(CharacterVocabulary("abc"), 3)
    assert len(pickle.dumps(encoder)) < 500
    assert pickle.loads(pickle.dumps(encoder)) == encoder


@pytest.mark.parametrize("name", ["chitchat", "shakespeare"])
def test_a_task_counts_the_characters_of_its_texts_and_none_of_the_padding(tmp_path, name):
    texts = ("to be", "or not to be, that is", "\N{GRINNING FACE}")
    dataset = miniature.write(tmp_path, miniature.TEXT, {"train": miniature.texts(texts)})
    task = known_tasks.load(name, dataset, "char_cnn", TaskOptions(sequence_length=10))
    _, y = task.reader("train").rows("client_0")
    logits = np.random.default_rng(0).normal(size=(3, 10, task.num_classes)).astype(np.float32)
    shifted = np.where((y == -1)[..., None], np.inf, logits)
    logarithms = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    losses = [-logarithms[place][y[place]] for place in np.ndindex(y.shape) if y[place] != -1]
    # Five characters and an edge; ten places of a longer text; the edge after an unknown one.
    assert len(losses) == 6 + 10 + 1
    sums = task.statistics(tf.constant(y), tf.constant(shifted))
    assert float(sums["count"]) == len(losses)
    assert float(sums["scored"]) == 5 + 10
    assert float(sums["loss_sum"]) == pytest.approx(sum(losses), rel=1e-5)
    assert float(task.loss(tf.constant(y), tf.constant(shifted))) == pytest.approx(
        np.mean(losses), rel=1e-5
    )
