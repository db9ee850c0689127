"""Oracles: the check value of the CRC catalogue and RFC 3720's vectors, masked as TFRecord does."""

import google_crc32c
import pytest

from data_prep.store import records

VECTORS = [
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
]


@pytest.mark.parametrize(("data", "expected"), VECTORS)
def test_published_vectors_are_met(data: bytes, expected: int) -> None:
    rotated = (expected >> 15) | (expected << 17) & 0xFFFFFFFF
    assert records.masked(data) == (rotated + 0xA282EAD8) % 2**32


def test_this_environment_computes_checksums_in_c() -> None:
    assert google_crc32c.implementation == "c"
