"""GPT-2's subwords: values checked with the reference implementation when this was written."""

import json
import pickle
import random
import string
from pathlib import Path

import numpy as np
import pytest

from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.byte_pairs import (
    BytePairSequences,
    BytePairText,
    chunks,
    read_byte_pairs,
    walked,
)
from groundwork import hub
from groundwork.errors import UserError

# Ġ is a blank, Ã and © are the two bytes of é.
PIECES = ["<|endoftext|>", "l", "o", "w", "e", "r", "Ġ", "Ã", "©", "lo", "low", "er", "Ġlow", "Ã©"]
MERGES = "#version: 0.2\nl o\nlo w\ne r\nĠ low\nÃ ©\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocabulary.write_text(json.dumps({piece: number for number, piece in enumerate(PIECES)}))
    merges.write_text(MERGES, encoding="utf-8")
    return vocabulary, merges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't  stop\n\n now", ["don", "'t", " ", " stop", "\n\n", " now"]),
        ("I'll we've 123abc!?", ["I", "'ll", " we", "'ve", " 123", "abc", "!?"]),
        ("½²x 中文", ["½²", "x", " 中文"]),
        ("trail  ", ["trail", "  "]),
        ("a \tb", ["a", " ", "\t", "b"]),
        ("a\x1c  b", ["a", "\x1c", " ", " b"]),
        ("it 's", ["it", " '", "s"]),
    ],
)
def test_text_is_cut_where_gpt2_cuts_it(text, expected):
    assert chunks(text) == expected


def test_the_pattern_for_ascii_cuts_as_the_walk_over_characters_does():
    random.seed(0)
    for length in range(400):
        text = "".join(random.choices(" '" * 9 + "strevdlm" + string.printable[:95], k=length % 40))
        assert chunks(text) == list(walked(text)), text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("low", ["low"]),
        ("lower lower", ["low", "er", "Ġlow", "er"]),
        ("loow", ["lo", "o", "w"]),
        ("é", ["Ã©"]),
        ("", []),
    ],
)
def test_pairs_merge_from_the_lowest_rank(files, text, pieces):
    vocabulary = read_byte_pairs(*files)
    assert [vocabulary.pieces[number] for number in vocabulary.ids(text)] == pieces


def test_rows_run_from_end_of_text_to_end_of_text(files):
    encoder = BytePairSequences(read_byte_pairs(*files), 3)
    x, y = encoder.encode({"text": np.array([b"low", b"lower lower"])})
    assert x.tolist() == [[0, 10, 0], [0, 10, 11]]
    assert y.tolist() == [[10, 0, -1], [10, 11, 12]]
    assert encoder.unscored == (0,)


def test_the_tables_do_not_travel_with_a_pickle(files):
    vocabulary = read_byte_pairs(*files)
    vocabulary.ids("lower")
    again = pickle.loads(pickle.dumps(vocabulary))
    assert again == vocabulary
    assert set(vars(again)) == {"pieces", "merges"}


def test_both_files_must_be_given():
    with pytest.raises(UserError, match=r"--vocabulary=vocab\.json and --merges=merges\.txt"):
        BytePairText(8)(None, TaskOptions())


def test_the_files_of_a_published_model_are_taken_by_its_name(files, tmp_path, monkeypatch):
    monkeypatch.setenv(hub.FOLDER_VARIABLE, str(tmp_path / "hub"))
    (tmp_path / "hub" / "me").mkdir(parents=True)
    for file in files:
        file.rename(tmp_path / "hub" / "me" / file.name)
    encoder = BytePairText(8)(None, TaskOptions(vocabulary="hub:me"))
    assert encoder.vocabulary.pieces == tuple(PIECES)
    monkeypatch.setenv(hub.OFFLINE_VARIABLE, "1")
    with pytest.raises(UserError, match="--vocabulary=hub:you: not on this machine"):
        BytePairText(8)(None, TaskOptions(vocabulary="hub:you"))


def test_files_that_do_not_fit_each_other_are_named(files):
    vocabulary, merges = files
    merges.write_text("l o\no l\n")
    with pytest.raises(UserError, match=r"merges\.txt makes 'ol'"):
        read_byte_pairs(vocabulary, merges)
    merges.write_text("l o w\n")
    with pytest.raises(UserError, match=r"merges\.txt, line 1"):
        read_byte_pairs(vocabulary, merges)
    vocabulary.write_text('{"l": 0}')
    with pytest.raises(UserError, match="endoftext"):
        read_byte_pairs(vocabulary, merges)
