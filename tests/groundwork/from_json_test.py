import json
import os

import pytest

from groundwork import from_json
from groundwork.errors import UserError

HOSTILE = (
    "[" * 9999,
    "[" * 700 + "]" * 700,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    "9" * 5000,
    "{",
    "",
    b"\xff\xfe\x00",
)


@pytest.mark.parametrize("content", HOSTILE)
def test_what_is_not_json_is_a_value_error(content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json.text(content)


@pytest.mark.parametrize("read", [from_json.file, from_json.record, from_json.lines])
def test_a_file_that_is_not_json_is_named(read, tmp_path) -> None:
    (tmp_path / "a.json").write_text("{}\n[")
    with pytest.raises(UserError, match=r"a\.json.* is not JSON") as refusal:
        read(tmp_path / "a.json")
    assert isinstance(refusal.value, ValueError)


def test_a_file_without_end_is_named(tmp_path) -> None:
    (tmp_path / "a.json").touch()
    os.truncate(tmp_path / "a.json", 300 << 20)
    with pytest.raises(UserError, match=r"a\.json.* is longer than 256 MiB"):
        from_json.file(tmp_path / "a.json")


def test_lines_end_at_line_feeds_alone(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('["a\u2028b"]\n["c\x85"]\n', encoding="utf-8")
    assert from_json.lines(tmp_path / "a.jsonl") == [["a\u2028b"], ["c\x85"]]


def test_a_record_is_an_object(tmp_path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(UserError, match="is not a JSON object"):
        from_json.record(tmp_path / "a.json")


def test_a_sentence_does_not_quote_without_end() -> None:
    assert len(str(UserError(f"{'a' * 9999}\n{'b' * 9999}: mend it"))) < 2000
    assert str(UserError(f"{'b' * 9999}: mend it")).endswith("mend it")
    assert str(UserError("short")) == "short"


def test_what_is_wide_or_a_little_deep_is_read() -> None:
    for value in ([[0]] * 1000, {"a": [{"b": "[" * 1000}] * 300}, json.loads("[" * 90 + "]" * 90)):
        assert from_json.text(json.dumps(value)) == value
        assert from_json.text(json.dumps(value).encode()) == value
