import dataclasses
import tempfile
from pathlib import Path

import pytest

from data_prep.grouping.grouping import sorted_runs
from data_prep.grouping.job import Job
from data_prep.grouping.runs import HASH_SPACE, Row, merged
from data_prep.preparing import preparation
from data_prep.preparing.preparation import PrepareConfig
from groundwork.randomness import stable_hash


@pytest.fixture
def job(tmp_path: Path) -> Job:
    opened = preparation.open_source(PrepareConfig("digits", str(tmp_path / "out")))
    return preparation.make_job(opened, tmp_path / "staging", {"extra": {}})


def test_a_piece_is_made_once_and_comes_back_as_it_was(job: Job) -> None:
    words = {"base64": 3, "ü\n": 1}
    made = job.once("read", 7, lambda: {"words": words, "table": bytes(range(256)), "empty": b""})
    again = job.once("read", 7, lambda: pytest.fail("it was made before"))
    assert again == made == {"number": 7, "words": words, "table": bytes(range(256)), "empty": b""}
    assert job.num_kept("read") == 1


def test_a_job_of_an_engine_keeps_nothing_on_the_driver(job: Job, tmp_path: Path) -> None:
    remote = dataclasses.replace(job, local=False)
    made = iter(({"runs": 1}, {"runs": 2}))
    assert [remote.once("read", 0, lambda: next(made))["runs"] for _ in range(2)] == [1, 2]
    remote.note("shards", 3)
    remote.stop()
    assert list(tmp_path.iterdir()) == []
    assert not remote.stopped()


def test_a_worker_sorts_a_shard_in_a_folder_of_its_own_and_removes_it(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of one row each are merged; the mark of a shard is not a row."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    remote = dataclasses.replace(job, local=False, spill_bytes=1)
    rows = [Row(b"c%d" % (n % 7), -n, b"x" * n, 0, 0, 1) for n in range(50)]
    with sorted_runs(remote, [Row(b"", 0, b"", 0, 0, 0), *rows]) as paths:
        assert len(paths) == 50
        found = list(merged(paths, 0, HASH_SPACE))
    assert found == sorted((stable_hash(row.client), row) for row in rows)
    assert list(own.iterdir()) == []
