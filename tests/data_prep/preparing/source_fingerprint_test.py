import os
import shutil
from pathlib import Path

from data_prep.preparing import preparation
from data_prep.sources.work_units import file_units, input_files


def fingerprint(folder: Path) -> str:
    return preparation.describe(file_units(input_files(str(folder))))["fingerprint"]


def test_folders_and_times_do_not_count_but_names_and_content_do(tmp_path: Path) -> None:
    first = tmp_path / "first"
    (first / "deep").mkdir(parents=True)
    (first / "a.txt").write_text("one")
    (first / "deep" / "b.txt").write_text("two")
    second = shutil.copytree(first, tmp_path / "elsewhere" / "second")
    os.utime(second / "a.txt", (1, 1))
    assert fingerprint(first) == fingerprint(second)
    (second / "a.txt").write_text("One")
    assert fingerprint(first) != fingerprint(second)
    (second / "a.txt").write_text("one")
    (second / "a.txt").rename(second / "c.txt")
    assert fingerprint(first) != fingerprint(second)
    described = preparation.describe(file_units(input_files(str(first))))
    assert (described["files"], described["bytes"]) == (2, 6)


def test_a_changed_byte_anywhere_in_a_large_file_counts(tmp_path: Path) -> None:
    """The file is sparse: 300 MiB of zeros and one byte far from its start, middle and end."""
    path = tmp_path / "large.txt"
    found = set()
    for byte in (b"a", b"b"):
        with open(path, "wb") as file:
            file.truncate(300 << 20)
            file.seek(100 << 20)
            file.write(byte)
        found.add(fingerprint(tmp_path))
    assert len(found) == 2
