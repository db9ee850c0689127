"""Sentences that quote another library's failure."""

import pytest

from groundwork.errors import words_of


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ValueError("no such thing"), "no such thing"),
        (ValueError("\n  two\n\nlines "), "two lines"),
        (ValueError(), "ValueError"),
        (ValueError(" \n"), "ValueError"),
        (KeyError("'a' of b's"), "'a' of b's"),
        (KeyError(), "KeyError"),
        (OSError("no answer of s3://me:secret@host/x"), "no answer of s3://***@host/x"),
        (ValueError("x" * 1000), "x" * 300),
        ("a\nword", "a word"),
    ],
)
def test_words_of_a_failure_are_one_short_line_without_a_password(
    failure: object, words: str
) -> None:
    assert words_of(failure) == words
