"""The blocks of bzip2 files, each of which can be decompressed without those before it.

A mark of 48 bits begins each block, and another ends a stream; neither begins at a whole byte.
"""

import bz2
import os
from collections.abc import Iterator
from typing import IO

_BLOCK, _END = 0x314159265359, 0x177245385090
_MARK, _SUM = 48, 32
"""Bits of a mark, and of the checksum that follows it."""
_WINDOW = 7
"""Bytes that hold a mark, wherever it begins in the first of them."""
_READ = 1 << 20
_LONGEST = 8 * 1_000_000
"""A block has fewer bits: it is made of 900,000 bytes at most."""


def cuts(file: IO[bytes], size: int) -> list[int]:
    """The first block (by its bit) after each `size` bytes."""
    found = []
    for start in range(size, os.fstat(file.fileno()).st_size, size):
        file.seek(start)
        bits = (bit for bit, is_block in _marks(file.read(_READ), 0) if is_block)
        found += [8 * start + bit for bit in bits][:1]
    return sorted(set(found))


def blocks(file: IO[bytes], start: int) -> Iterator[tuple[int, bytes]]:
    """(the bit where it begins, its content) of each block from that of the bit `start` on."""
    content, base, searched = b"", start // 8, 0  # `content` begins at the byte `base`
    begin, end = None, 0
    wrong: Exception = EOFError()
    file.seek(base)
    while more := file.read(_READ):
        content += more
        for bit, is_block in _marks(content, searched):
            if begin is not None:
                try:
                    decompressed = _decompressed(content, begin, bit)
                except (OSError, ValueError) as error:
                    if bit - begin > _LONGEST:
                        raise
                    wrong = error
                    continue  # By chance the bits of a mark are among those of a block.
                yield 8 * base + begin, decompressed
            begin, end = bit if is_block else None, 8 * base + bit
        searched = max(0, len(content) - _WINDOW + 1)
        used = searched if begin is None else begin // 8
        content, base, searched = content[used:], base + used, searched - used
        begin = None if begin is None else begin - 8 * used
    if begin is not None:
        raise wrong
    if 8 * (base + len(content)) - end - _MARK - _SUM >= 8:
        raise OSError("other bytes follow its end; cut them off, or compress it anew")


def _marks(content: bytes, first: int) -> list[tuple[int, bool]]:
    """(bit, whether a block begins there) of each mark that begins at the byte `first` or later."""
    found = []
    for mark in (_BLOCK, _END):
        for shift in range(8):
            inner = (mark << 8 - shift).to_bytes(_WINDOW)[1:-1]
            at = content.find(inner, first + 1)
            while at > 0:
                window = int.from_bytes(content[at - 1 : at - 1 + _WINDOW])
                if window >> 8 - shift & (1 << _MARK) - 1 == mark:
                    found.append((8 * (at - 1) + shift, mark == _BLOCK))
                at = content.find(inner, at + 1)
    return sorted(found)


def _decompressed(content: bytes, begin: int, end: int) -> bytes:
    """The block of these bits, as the only one of a stream, whose checksum is then the block's."""
    first, last, bits = begin // 8, -(-end // 8), end - begin
    block = int.from_bytes(content[first:last]) >> 8 * last - end & (1 << bits) - 1
    checksum = block >> bits - _MARK - _SUM & (1 << _SUM) - 1
    stream = (block << _MARK | _END) << _SUM | checksum
    bits += _MARK + _SUM
    return bz2.decompress(b"BZh9" + (stream << -bits % 8).to_bytes(-(-bits // 8)))
