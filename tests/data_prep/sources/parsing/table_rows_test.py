import gzip

import pytest

from data_prep.sources.items import BadRecord
from data_prep.sources.parsing import table_rows


def _read(path, slice_bytes):
    units = table_rows.line_units([path], slice_bytes)
    found = []
    for unit in units:
        for line in table_rows.read_lines(unit):
            assert not isinstance(line, BadRecord)
            found.append((table_rows.line_number(unit, line.number), line.offset, line.content))
    return units, found


@pytest.mark.parametrize("slice_bytes", [1, 2, 3, 7, 10, 64, 1000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_slices_hold_every_line_once_with_its_number(tmp_path, slice_bytes, end):
    path = tmp_path / "a.txt"
    content = b"first\n\nthird line is longer\r\n4\n" + "größer".encode() + b"\n\n\nlast" + end
    path.write_bytes(content)
    units, found = _read(path, slice_bytes)
    assert len(units) == -(-len(content) // slice_bytes)
    assert [(number, text) for number, _, text in found] == [
        (number, line.rstrip(b"\r"))
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip()
    ]
    for _, offset, text in found:
        assert content[offset:].startswith(text)


def test_a_compressed_file_is_one_unit(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n" * 1000, mtime=0))
    units, found = _read(path, 10)
    assert len(units) == 1
    assert len(found) == 2000


def test_a_cut_archive_gives_its_lines_then_one_bad_record(tmp_path):
    path = tmp_path / "a.txt.gz"
    whole = gzip.compress(b"".join(b"%d\n" % n for n in range(100000)), mtime=0)
    path.write_bytes(whole[: len(whole) // 2])
    *good, last = list(table_rows.read_lines(table_rows.line_units([path])[0]))
    assert isinstance(last, BadRecord)
    assert last.reason == "truncated_archive"
    assert last.line == len(good) + 1
    assert [line.content for line in good] == [b"%d" % n for n in range(len(good))]


def test_the_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf{}\n")
    assert _read(path, 100)[1] == [(1, 0, b"{}")]


def test_an_endless_line_is_refused_and_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(table_rows, "LONGEST_LINE", 10)
    path = tmp_path / "a.txt"
    path.write_bytes(b"short\n" + b"x" * 35 + b"\nafter\n")
    first, bad, after = list(table_rows.read_lines(table_rows.line_units([path])[0]))
    assert (first.content, after.content) == (b"short", b"after")
    assert (bad.reason, bad.line) == ("line_too_long", 2)
    assert after.offset == 42


def test_positions_follow_the_files_then_the_place(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).write_text("x\ny\n")
    units = table_rows.line_units([tmp_path / "b", tmp_path / "a"])
    positions = [
        table_rows.position(u, line.offset) for u in units for line in table_rows.read_lines(u)
    ]
    assert positions == sorted(positions)
    assert [unit.id for unit in units] == ["a", "b"]
