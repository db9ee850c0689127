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
