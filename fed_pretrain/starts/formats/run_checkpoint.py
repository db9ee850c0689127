"""Checkpoints of our own runs and of our own pre-training."""

import pathlib
from typing import Any

import numpy as np

from data_prep import array_file
from data_prep.errors import UserError

_PREFIXES = ("model/trainable/", "model/non_trainable/")


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The model's weights (not the optimizer's or the clients' state) and the metadata."""
    checkpoint = array_file.load(path)
    tensors = {
        name.removeprefix(prefix): array
        for prefix in _PREFIXES
        for name, array in checkpoint.arrays.items()
        if name.startswith(prefix)
    }
    if not tensors:
        raise UserError(f"{path}: this checkpoint holds no model weights (model/trainable/...)")
    return tensors, dict(checkpoint.metadata)


def newest(workdir: str) -> str:
    """The newest checkpoint file of a run's work directory."""
    folder = pathlib.Path(workdir)
    folder = folder / "checkpoints" if (folder / "checkpoints").is_dir() else folder
    files = sorted(folder.glob("round-*.ckpt"))
    if not files:
        raise UserError(f"{workdir}: no checkpoint round-NNNNNN.ckpt stands in {folder}")
    return str(files[-1])
