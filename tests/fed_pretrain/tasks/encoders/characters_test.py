"""Characters and their windows, by hand."""

import json
import pickle

import numpy as np
import pytest

from fed_pretrain.tasks.encoders.characters import (
    CharacterVocabulary,
    CharacterWindows,
    embedded_vocabulary,
    read_vocabulary,
)
from groundwork import embedded_packages
from groundwork.errors import UserError


def test_a_window_holds_what_came_before_and_the_target_is_what_comes_next():
    encoder = CharacterWindows(CharacterVocabulary("abc"), length=3)
    x, y = encoder.encode({"text": np.array([b"abca", b""])})
    edge = 4
    assert x.tolist() == [
        [0, 0, edge],
        [0, edge, 1],
        [edge, 1, 2],
        [1, 2, 3],
        [2, 3, 1],
        [0, 0, edge],
    ]
    assert y.tolist() == [1, 2, 3, 1, edge, edge]
    assert (x.dtype, y.dtype) == (np.int32, np.int32)
    assert encoder.num_classes == 5
    assert encoder.unscored == (edge,)


def test_a_character_outside_the_vocabulary_is_padding_to_read_and_no_target():
    encoder = CharacterWindows(CharacterVocabulary("ab"), length=2)
    x, y = encoder.encode({"text": np.array(["a\N{GRINNING FACE}b".encode()])})
    assert x.tolist() == [[0, 3], [3, 1], [1, 0], [0, 2]]
    assert y.tolist() == [1, -1, 2, 3]


def test_a_client_without_texts_has_no_rows():
    x, y = CharacterWindows(CharacterVocabulary("ab"), 5).encode({"text": np.array([], object)})
    assert x.shape == (0, 5)
    assert y.shape == (0,)


@pytest.mark.skipif(
    not embedded_packages.available("textgenrnn"), reason="textgenrnn is not unpacked"
)
def test_the_embedded_vocabulary_is_numbered_as_its_file_says():
    vocabulary = embedded_vocabulary()
    file = embedded_packages.path("textgenrnn", "textgenrnn/textgenrnn_vocab.json")
    ids = json.loads(file.read_text())
    assert vocabulary.size == 465
    assert vocabulary.boundary == ids["<s>"] == 464
    text = "I can't, 6 é 😂 \n"
    assert vocabulary.ids(text).tolist() == [ids.get(character, 0) for character in text]


def test_the_encoder_pickles_small():
    encoder = CharacterWindows(CharacterVocabulary("abc"), 3)
    encoder.encode({"text": np.array([b"abc"])})
    assert len(pickle.dumps(encoder)) < 500
    assert pickle.loads(pickle.dumps(encoder)) == encoder


@pytest.mark.parametrize(
    "content", ["[]", "not json", '{"a": 1}', '{"a": 2, "<s>": 3}', '{"ab": 1, "<s>": 2}']
)
def test_a_file_that_is_no_character_vocabulary_is_named(tmp_path, content):
    file = tmp_path / "vocabulary.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"--vocabulary=.*vocabulary\.json"):
        read_vocabulary(str(file))
