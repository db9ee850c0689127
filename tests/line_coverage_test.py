"""What ran is counted by line, and functions with probes can be pickled by their code."""

import pytest

pytest.importorskip("slipcover", reason="`make .venv` installs it")

import cloudpickle

from tests import line_coverage
from tools import rooms

SOURCE = """
def sign(x):
    if x > 0:
        return 1
    return -1
"""


def signed(recorder):
    names = {"__name__": "__main__"}
    exec(recorder.instrument(compile(SOURCE, "sign.py", "exec")), names)
    return names["sign"]


def test_only_lines_that_ran_are_seen():
    recorder = line_coverage.Recorder()
    sign = signed(recorder)
    assert sign(3) == 1
    assert recorder.seen() == {"sign.py": [2, 3, 4]}
    assert sign(-3) == -1
    assert recorder.seen() == {"sign.py": [2, 3, 4, 5]}


def test_a_function_with_probes_is_pickled_by_its_code():
    sign = cloudpickle.loads(cloudpickle.dumps(signed(line_coverage.Recorder())))
    assert [sign(3), sign(-3)] == [1, -1]


def test_a_room_counts_its_own_lines_that_have_code(tmp_path, monkeypatch):
    (tmp_path / "sign.py").write_text(SOURCE)
    monkeypatch.setattr(rooms, "modules", lambda: {"groundwork.sign": tmp_path / "sign.py"})
    seen = {str(tmp_path / "sign.py"): {1, 2, 3, 10_000}}
    rows = {name: lines for name, *lines in line_coverage.by_room(seen)}
    assert rows["groundwork"] == rows["all rooms"] == [4, 2]
    assert rows["pipelines"] == [0, 0]
