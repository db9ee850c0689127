"""Records that an engine groups and records that are sorted on this machine: the same dataset."""

from pathlib import Path

import pytest
from apache_beam.metrics.metric import MetricsFilter

from data_prep.grouping import running
from data_prep.grouping.reading import NAMESPACE
from data_prep.preparing import preparation, request
from data_prep.preparing.preparation import PrepareConfig
from data_prep.store import manifest
from groundwork import staging
from groundwork.errors import UserError

ENGINE = ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK")
ROWS = "client_id,when,label,text\n" + "".join(
    f"c{number % 5},{number % 3},{number % 4},line {number}\n" for number in range(40)
)
OPTIONS = {"order": "when", "label": "label", "text": "text"}


def run(
    folder: Path, rows: str, beam_options: tuple[str, ...]
) -> tuple[manifest.Manifest, dict[str, int], list[str]]:
    """More shards than clients: some have no rows."""
    (folder / "rows.csv").write_text(rows)
    config = PrepareConfig(
        "csv",
        str(folder / "out"),
        input=str(folder / "rows.csv"),
        source_options=OPTIONS,
        shards=9,
        max_bad_records=1,
        vocabulary="count:9",
        beam_options=beam_options,
    )
    opened = preparation.open_source(config)
    described = preparation.describe_request(opened)
    with staging.staging(folder / "out", described["request"]) as staged:
        job = preparation.make_job(opened, staged, described)
        tasks = request.pack_tasks(opened.reader)
        _, result = running.run(job, tasks, workers=1, beam_options=beam_options, expected=None)
        found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
        counters = {counter.key.metric.name: counter.result for counter in found}
        left = sorted(path.name for path in staged.iterdir())
        return manifest.read(job.dataset), counters, left


def test_an_engine_groups_the_records_and_its_counters_agree_with_the_manifest(
    tmp_path: Path,
) -> None:
    bad = ROWS + "c1,late,1,text\n"
    (tmp_path / "local").mkdir()
    (tmp_path / "engine").mkdir()
    local, counters, kept = run(tmp_path / "local", bad, ())
    remote, counters_of_engine, left = run(tmp_path / "engine", bad, ENGINE)
    assert remote.fingerprint == local.fingerprint
    assert counters_of_engine == counters
    assert counters == {"read": 40, "read, bad: wrong_type": 1, "written": 40}
    assert local.counts["read"] == 41
    assert {"read", "runs", "merged"} <= set(kept)
    assert set(left) == {"dataset", staging.REQUEST}  # No file is for other workers.


def test_a_bad_record_that_an_engine_met_is_named_by_file_and_line(tmp_path: Path) -> None:
    bad = ROWS + "c1,late,1,text\n" + "c1,early,1,text\n"
    with pytest.raises(UserError, match=r"rows\.csv line 43: wrong_type") as refused:
        run(tmp_path, bad, ENGINE)
    assert "\n" not in str(refused.value)
    assert "while running" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.csv"]
