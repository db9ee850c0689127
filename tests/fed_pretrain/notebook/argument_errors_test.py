"""Refusals speak of arguments; commands in them stay commands."""

import pytest

from fed_pretrain.notebook.argument_errors import ArgumentError, in_arguments, naming
from groundwork.errors import UserError


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (
            "--clients_per_round=9: the dataset has only 6 training clients",
            "clients_per_round=9: the dataset has only 6 training clients",
        ),
        (
            "--start=checkpoint:/a/mine.npz does not fit model 'a'; --allow_partial_start begins",
            "starts['mine'] does not fit model 'a'; allow_partial=True begins",
        ),
        ("--model=keras:/tmp/a.keras: it ends in softmax", "model: it ends in softmax"),
        ("see `python -m data_prep.prepare --source=digits`", None),
        ("lower --client_learning_rate, clip", "lower client_learning_rate, clip"),
        ("--dataset is missing", "clients is missing"),
    ],
)
def test_flags_become_arguments(said, heard):
    assert in_arguments(said, {"start": "starts['mine']"}) == (heard or said)


def test_a_refusal_comes_as_one_sentence_without_a_traceback():
    with pytest.raises(ArgumentError, match=r"^rounds=-1: too few$") as caught, naming():
        raise UserError("--rounds=-1: too few")
    assert isinstance(caught.value, ValueError)
    assert caught.value._render_traceback_() == ["ArgumentError: rounds=-1: too few"]
