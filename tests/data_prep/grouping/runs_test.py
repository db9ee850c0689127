"""Oracle: Python's own sort of everything at once."""

import itertools
import random
from pathlib import Path

import pytest

from data_prep.grouping import runs
from data_prep.grouping.runs import HASH_SPACE, RunSpiller, merged, shard_range
from groundwork.randomness import stable_hash

Row = tuple[bytes, int, bytes, int, int, int]


def rows(count: int) -> list[Row]:
    draw = random.Random(0)
    return [
        (
            f"client{draw.randrange(40)}".encode(),
            draw.randrange(-5, 5),
            draw.randbytes(draw.choice([0, 3, 200, 5000])),
            draw.randrange(3),
            draw.randrange(62),
            draw.randrange(2),
        )
        for _ in range(count)
    ]


def spilled(folder: Path, given: list[Row], limit: int) -> list[Path]:
    spiller = RunSpiller(folder, limit)
    for row in given:
        spiller.add(row)
    spiller.flush()
    return [folder / name for name in spiller.runs]


@pytest.mark.parametrize("limit", [1, 20_000, 1 << 30])
def test_merging_runs_of_any_size_gives_one_sorted_sequence(tmp_path: Path, limit: int) -> None:
    given = rows(400)
    paths = spilled(tmp_path, given, limit)
    assert len(paths) == {1: 400, 1 << 30: 1}.get(limit, len(paths))
    found = list(merged(paths, 0, HASH_SPACE))
    assert found == sorted((stable_hash(row[0]), row) for row in given)


def test_shards_cover_everything_once_and_keep_clients_whole(tmp_path: Path) -> None:
    given = rows(400)
    paths = spilled(tmp_path, given, 50_000)
    whole = list(merged(paths, 0, HASH_SPACE))
    for shards in (1, 2, 7, 64):
        parts = [list(merged(paths, *shard_range(shard, shards))) for shard in range(shards)]
        assert [entry for part in parts for entry in part] == whole
        clients = [client for part in parts for client in {row[0] for _, row in part}]
        assert len(clients) == len(set(clients))


def test_an_entry_larger_than_a_read_comes_back_whole(tmp_path: Path) -> None:
    payload = random.Random(1).randbytes(3 * runs._CHUNK + 17)
    paths = spilled(tmp_path, [(b"a", 0, payload, 0, 0, 1), (b"b", 0, b"x", 0, 0, 1)], 1 << 30)
    assert payload in [row[2] for _, row in merged(paths, 0, HASH_SPACE)]


def test_ranges_of_shards_meet_without_gap_or_overlap() -> None:
    for shards in (1, 3, 1000, 4097):
        borders = [shard_range(shard, shards) for shard in range(shards)]
        assert borders[0][0] == 0
        assert borders[-1][1] == HASH_SPACE
        assert all(a[1] == b[0] for a, b in itertools.pairwise(borders))


def test_a_client_is_in_the_shard_whose_range_has_its_hash() -> None:
    for shards in (1, 3, 1000, 99_999):
        for number in range(200):
            low, high = shard_range(runs.shard_of(b"%d" % number, shards), shards)
            assert low <= stable_hash(b"%d" % number) < high


def test_the_hash_is_the_same_in_every_process_and_version() -> None:
    assert stable_hash(b"form_00") == 8329773756602162284
    assert stable_hash("ü".encode()) == 3976460501203677525
