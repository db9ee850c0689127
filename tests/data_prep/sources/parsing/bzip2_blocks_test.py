"""A bzip2 file is read from its blocks on as it is read whole."""

import bz2
import gzip
import io
import itertools
import random

import pytest

from data_prep.sources.items import BadRecord
from data_prep.sources.parsing import bzip2_blocks, compressed, table_rows
from data_prep.sources.work_units import file_units

DRAW = random.Random(0)
LINES = [DRAW.randbytes(DRAW.randrange(120)).hex().encode() for _ in range(5_000)]
CONTENT = b"".join(line + b"\n" for line in LINES)
SIZE = 70_000


def _streams(content: bytes) -> bytes:
    """As parallel compressors write it: a stream each block."""
    parts = [content[start : start + 250_000] for start in range(0, len(content), 250_000)]
    return b"".join(map(bz2.compress, parts))


FILES = {
    "one stream": bz2.compress(CONTENT, 1),
    "many streams": _streams(CONTENT),
    "no line end": bz2.compress(CONTENT[:-1], 1),
    "one line": bz2.compress(DRAW.randbytes(200_000).hex().encode(), 1),
}


@pytest.mark.parametrize("name", FILES)
def test_parts_hold_every_line_once_with_its_number_in_order(name, tmp_path, monkeypatch):
    path = tmp_path / "dump.bz2"
    path.write_bytes(FILES[name])
    monkeypatch.setattr(bzip2_blocks, "_READ", 60_001)
    (unit,) = file_units([path])
    whole = [(line.number, line.content) for line in table_rows.read_lines(unit)]
    assert b"\n".join(content for _, content in whole) == bz2.decompress(FILES[name]).replace(
        b"\n\n", b"\n"
    ).strip(b"\n")
    parts = table_rows.parts(unit, SIZE)
    assert len(parts) >= 2
    assert {part.id for part in parts} == {unit.id}
    read = [list(table_rows.read_lines(part)) for part in parts]
    lines = [line for part in read for line in part]
    numbers = [table_rows.line_number(part[0].unit, part[0].number) for part in read if part]
    assert [line.content for line in lines] == [content for _, content in whole]
    firsts = itertools.accumulate((len(part) for part in read if part), initial=0)
    assert numbers == [whole[first][0] for first in firsts if first < len(whole)]
    offsets = [table_rows.position(line.unit, line.offset) for line in lines]
    assert offsets == sorted(set(offsets))


def test_a_mark_that_stands_in_a_block_by_chance_is_passed_over(monkeypatch):
    """Of the true marks some are taken for false: the block then ends at a later one."""
    marks = bzip2_blocks._marks

    def more(content, first):
        found = marks(content, first)
        return sorted([*found, *((bit + 4321, True) for bit, block in found if block)])

    monkeypatch.setattr(bzip2_blocks, "_marks", more)
    blocks = bzip2_blocks.blocks(io.BytesIO(FILES["one stream"]), 0)
    assert b"".join(content for _, content in blocks) == CONTENT


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda file: file[: len(file) - 9_000], "truncated"),
        (lambda file: file + b"garbage", "other bytes follow"),
        (lambda file: file[:-9_000] + b"\x55" + file[-8_999:], "damaged"),
    ],
)
def test_damage_within_the_last_part_is_reported_by_that_part_alone(damage, why, tmp_path):
    path = tmp_path / "dump.bz2"
    path.write_bytes(damage(FILES["one stream"]))
    *parts, last = table_rows.parts(file_units([path])[0], 2 * SIZE)
    assert not any(isinstance(line, BadRecord) for part in parts for line in read_all(part))
    *_, bad = read_all(last)
    assert isinstance(bad, BadRecord)
    assert (bad.reason, why in bad.detail) == ("truncated_archive", True), bad.detail
    assert bad.line > sum(len(read_all(part)) for part in parts)


def read_all(unit):
    return list(table_rows.read_lines(unit))


def test_other_compressions_stay_in_one_piece(tmp_path):
    path = tmp_path / "dump.gz"
    path.write_bytes(gzip.compress(CONTENT))
    assert compressed.cuts(path, 1000) == []
    (unit,) = table_rows.parts(file_units([path])[0], 1000)
    assert (unit.start, unit.stop) == (0, None)
