import json
import math

from fed_pretrain.probes.probe import RoundLog
from groundwork.files import defined

CONTENT = {"a": [1.0, math.nan, (math.inf, {"b": -math.inf})], "name": "NaN", "n": 3, "none": None}


def test_what_is_not_finite_becomes_null_and_nothing_else_changes():
    found = defined(CONTENT)
    assert found == {"a": [1.0, None, [None, {"b": None}]], "name": "NaN", "n": 3, "none": None}
    json.dumps(found, allow_nan=False)


def test_a_line_of_a_log_keeps_its_words_and_loses_its_infinities(tmp_path):
    log = RoundLog(tmp_path / "log.jsonl")
    log.append({"round": 1, "client": "NaN", "value": math.inf})
    line = (tmp_path / "log.jsonl").read_text()
    assert json.loads(line) == {"round": 1, "client": "NaN", "value": None}
