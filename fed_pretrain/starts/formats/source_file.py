"""What every reader hands on: named arrays of one file, whatever wrote it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """The tensors of a weights file under the names it gives them; no code of it was run."""

    path: str
    format: str
    tensors: Mapping[str, np.ndarray]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def widen_bfloat16(bits: np.ndarray, is_bfloat16: bool) -> np.ndarray:
    """Float32 values of stored bfloat16 bits; anything else stays as it is."""
    if not is_bfloat16:
        return bits
    return (bits.astype(np.uint32) << 16).view(np.float32)
