"""The campaign's instruments: what it takes for a killed process's files, and what it compares."""

import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from benchmarks.campaign import outcome
from benchmarks.campaign.crash_states import Recorder
from groundwork import files


def work(place: Path) -> None:
    """Four operations: a folder, a temporary file, its new name, a line more of another file."""
    (place / "folder").mkdir()
    files.write_text(place / "folder" / "whole", "x" * 100)
    with open(place / "rows", "a", encoding="utf-8") as file:
        file.write("second\n")


def begin(place: Path) -> Path:
    place.mkdir()
    (place / "rows").write_text("first\n")
    return place


def below(place: Path) -> dict[str, bytes]:
    """Temporary names are random."""
    return {
        path.name.partition("-")[0]: path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def killed_at(number: int, place: Path) -> dict[str, bytes]:
    """Oracle: a process that dies before its operation `number`."""
    child = os.fork()
    if child == 0:
        with Recorder(place, number, place.parent / "copy") as recorder:
            recorder._tear = lambda: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
            work(place)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    return below(place)


def test_operations_are_counted(tmp_path: Path) -> None:
    with Recorder(begin(tmp_path / "place")) as recorder:
        work(tmp_path / "place")
    assert recorder.operations == 4


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_copy_is_what_a_killed_process_leaves(number: int, tmp_path: Path) -> None:
    expected = killed_at(number, begin(tmp_path / "killed"))
    shutil.rmtree(tmp_path / "copy")
    with Recorder(begin(tmp_path / "place"), number, tmp_path / "copy") as recorder:
        work(tmp_path / "place")
    assert recorder.taken
    assert below(tmp_path / "copy") == expected


def test_a_torn_file_lacks_its_end_and_nothing_of_what_it_held_before(tmp_path: Path) -> None:
    place = begin(tmp_path / "place")
    with Recorder(place, 2, tmp_path / "copy", random.Random(0)):
        with open(place / "rows", "a", encoding="utf-8") as file:
            file.write("second\n")
        (place / "next").write_text("")
    torn = (tmp_path / "copy" / "rows").read_text()
    assert "first\nsecond\n".startswith(torn)
    assert "first\n" <= torn < "first\nsecond\n"


def test_times_and_places_may_differ_and_numbers_may_not(tmp_path: Path) -> None:
    for name, seconds, loss in (("one", 1.0, 0.5), ("two", 2.0, 0.5), ("three", 1.0, 0.6)):
        row = {"round": 1, "loss": loss, "seconds": seconds}
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    one, two, three = (outcome.of(tmp_path / name) for name in ("one", "two", "three"))
    assert outcome.differences(one, two) == []
    assert outcome.differences(one, three) == ["metrics.jsonl"]
