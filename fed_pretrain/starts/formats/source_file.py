"""What every reader hands on: named arrays of one file, whatever wrote it."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from groundwork.errors import UserError
from groundwork.untyped import Json

_FLOOR = 256 << 20
_TIMES = 32


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """The tensors of a weights file under the names it gives them; no code of it was run."""

    path: str
    format: str
    tensors: Mapping[str, np.ndarray]
    metadata: Mapping[str, Json] = dataclasses.field(default_factory=dict)


class ReadBudget:
    """Bounds what a file may unpack to, before anything is unpacked.

    Weights hardly compress: 4-bit blocks become eight times as large. A file that asks for
    32 times its own size (and more than 256 MiB) was made to fill the memory.
    """

    def __init__(self, path: str, file_bytes: int) -> None:
        self.path = path
        self.file_bytes = file_bytes
        self.limit = _FLOOR + _TIMES * file_bytes
        self._taken = 0

    def take(self, count: int) -> None:
        """Takes `count` bytes, or refuses the file."""
        self.check(count)
        self._taken += count

    def check(self, count: int) -> None:
        """Refuses the file if `count` bytes more are too many."""
        if count < 0:
            raise ValueError("a size is negative")
        if self._taken + count > self.limit:
            raise UserError(
                f"{self.path}: refused, its contents unpack to more than {self.limit >> 20:,} MiB, "
                "far more than weights of its size can"
            )


def widen_bfloat16(bits: np.ndarray, is_bfloat16: bool) -> np.ndarray:
    """Float32 values of stored bfloat16 bits; anything else stays as it is."""
    if not is_bfloat16:
        return bits
    return (bits.astype(np.uint32) << 16).view(np.float32)
