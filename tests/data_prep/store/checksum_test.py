"""Oracles: the check value of the CRC catalogue, RFC 3720's vectors, and a bit-by-bit CRC."""

import os

import pytest

from data_prep.store import records

VECTORS = [
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
]


def bit_by_bit(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(("data", "expected"), VECTORS)
def test_published_vectors_are_met_with_and_without_the_library(data: bytes, expected: int) -> None:
    assert records.extend()(0, data, len(data)) == expected
    assert records.extend_with_tables(0, data, len(data)) == expected


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 1023, 1024, 1025, 4097])
def test_the_tables_agree_with_a_crc_taken_bit_by_bit_at_every_block_border(length: int) -> None:
    data = os.urandom(length)
    assert records.extend_with_tables(0, data, length) == bit_by_bit(data)


def test_a_crc_can_be_continued() -> None:
    data = bytes(range(256)) * 9
    for extend in (records.extend(), records.extend_with_tables):
        assert extend(extend(0, data[:700], 700), data[700:], len(data) - 700) == bit_by_bit(data)


def test_the_library_of_this_environment_is_found() -> None:
    assert records.library_extend() is not None
