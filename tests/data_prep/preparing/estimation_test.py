import shutil
from pathlib import Path

import pytest

from data_prep.preparing import estimation, request
from data_prep.preparing.preparation import prepare
from data_prep.preparing.request import PrepareConfig
from groundwork.errors import UserError


def test_what_is_estimated_is_near_what_comes_out(tmp_path: Path) -> None:
    config = PrepareConfig("shakespeare", str(tmp_path / "out"))
    opened = request.open_source(config)
    guess = estimation.estimate(opened)
    dataset = prepare(config)
    written = sum(s.bytes for split in dataset.manifest.splits.values() for s in split.shards)
    assert guess.examples == pytest.approx(dataset.manifest.counts["written"], rel=0.5)
    assert guess.output_bytes == pytest.approx(written, rel=0.5)


def test_a_large_file_is_extrapolated_from_its_first_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("client_id,text\n" + "".join(f"c{n % 9},line {n:06d}\n" for n in range(60_000)))
    config = PrepareConfig("csv", str(tmp_path / "out"), input=str(path))
    guess = estimation.estimate(request.open_source(config))
    assert guess.sampled < 60_000
    assert guess.examples is not None
    assert 6_000 < guess.examples <= 66_000


def test_a_disk_that_is_too_small_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = request.open_source(PrepareConfig("digits", str(tmp_path / "out")))
    guess = estimation.estimate(opened)
    estimation.check_disk(opened, guess)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserError, match="only 1,000 bytes are free"):
        estimation.check_disk(opened, guess)


def test_sizes_read_well() -> None:
    assert [estimation.size(n) for n in (999, 2048, 5 << 20, 3 << 40)] == [
        "999 bytes",
        "2.0 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]
