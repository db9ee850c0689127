"""BERT's subwords: values checked with the reference implementation when this was written."""

import random
import string
from pathlib import Path

import pytest

from fed_pretrain.tasks.encoders.wordpieces import (
    WordpieceVocabulary,
    basic_tokens,
    read_vocabulary,
    spaced_tokens,
)
from groundwork.errors import UserError

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "##a", "hello", ",")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Héllo, wörld! naïve—yes", ["hello", ",", "world", "!", "naive", "—", "yes"]),
        ("中文字 and日本", ["中", "文", "字", "and", "日", "本"]),
        ("a\u200bb\x00c\ufffd $5.00^2`~", ["abc", "$", "5", ".", "00", "^", "2", "`", "~"]),
        ("tab\tline\nnon\u00a0break", ["tab", "line", "non", "break"]),
    ],
)
def test_basic_tokens_are_berts(text, tokens):
    assert basic_tokens(text) == tokens


def test_the_pattern_for_ascii_finds_the_tokens_that_the_tables_of_unicode_do():
    random.seed(0)
    for length in range(200):
        text = "".join(random.choices("  " + string.printable[:95], k=length % 40))
        assert basic_tokens(text) == spaced_tokens(text), text


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Unaffable", [4, 5, 6]),
        ("hello, AA", [9, 10, 7, 8]),
        ("unfair hello", [1, 9]),
        ("a" * 101, [1]),
        ("a" * 3, [7, 8, 8]),
    ],
)
def test_a_word_becomes_its_longest_known_pieces_or_unknown(text, ids):
    assert WordpieceVocabulary(PIECES).ids(text) == ids


def test_a_file_that_is_no_bert_vocabulary_is_named(tmp_path: Path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join(PIECES))
    assert read_vocabulary(file).pieces == PIECES
    odd = (*PIECES, "a\u2028b", "c\x85")
    file.write_text("\n".join((*odd, "")), encoding="utf-8")
    assert read_vocabulary(file).pieces == odd
    file.write_text("the\nof\n")
    with pytest.raises(UserError, match=r"vocab\.txt.*lacks \[CLS\]"):
        read_vocabulary(file)
