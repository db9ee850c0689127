"""The words of one's own texts are counted unless something else is asked for."""

import json

import pytest

from data_prep.preparing import request
from data_prep.preparing.request import PrepareConfig
from groundwork.errors import UserError


def opened(tmp_path, text_column="text=body", **settings):
    rows = tmp_path / "rows.jsonl"
    lines = ({"client_id": f"c{n}", "body": f"hello {n}", "price": n / 2} for n in range(3))
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = dict(part.split("=") for part in [text_column] if part)
    settings = {"source": "jsonl", "input": str(rows), "output": str(tmp_path / "out"), **settings}
    return request.open_source(PrepareConfig(source_options=options, **settings))


def test_texts_of_ones_own_are_counted_and_none_turns_it_off(tmp_path):
    assert opened(tmp_path).vocabulary == "count:10000"
    assert opened(tmp_path, vocabulary="count:5").vocabulary == "count:5"
    assert opened(tmp_path, vocabulary="none").vocabulary == ""


def test_a_table_without_texts_has_no_vocabulary_and_says_how_to_name_one(tmp_path):
    assert opened(tmp_path, text_column="").vocabulary == ""
    with pytest.raises(UserError, match="--source_options=text=COLUMN"):
        opened(tmp_path, text_column="", vocabulary="count:5")


def test_a_label_with_decimals_is_a_measurement_and_not_a_class(tmp_path):
    reader = opened(tmp_path, text_column="label=price").reader
    kinds = {feature.name: feature.kind for feature in reader.features}
    assert (kinds["label"], reader.label_names) == ("float32", None)
