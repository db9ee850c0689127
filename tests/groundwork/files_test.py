import json
import math

import pytest

from groundwork import files


def test_equal_values_are_written_as_equal_bytes(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    files.write_json(first, {"b": [1.5, None], "a": "\u00e9"})
    files.write_json(second, {"a": "\u00e9", "b": (1.5, None)})
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text(encoding="utf-8")) == {"a": "\u00e9", "b": [1.5, None]}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused_by_file_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "found.json"
    files.write_json(path, {"loss": 1.0})
    with pytest.raises(ValueError, match=r"found\.json.*JSON"):
        files.write_json(path, {"loss": [0.5, {"deep": value}]})
    assert json.loads(path.read_text()) == {"loss": 1.0}
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_while_it_is_written_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "text"
    files.write_text(path, "whole")

    def stopped():
        with files.replacing(path) as file:
            file.write(b"half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stopped()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]
