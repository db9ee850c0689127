"""Checkpoints of our own runs and of our own pre-training."""

import pathlib

import numpy as np

from fed_pretrain.models import adapters
from groundwork import array_file, from_json
from groundwork.errors import UserError
from groundwork.untyped import Json

PRETRAINED = "start.ckpt"
"""What a finished pre-training leaves in its work directory."""
LORA_SCALE = "lora_scale"
"""In the metadata of a checkpoint of a model with adapters: their factor."""
_PREFIXES = ("model/trainable/", "model/non_trainable/")


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, Json]]:
    """The plain model's weights (not the optimizer's or the clients' state) and the metadata."""
    checkpoint = array_file.load(path)
    tensors = {
        name.removeprefix(prefix): array
        for prefix in _PREFIXES
        for name, array in checkpoint.arrays.items()
        if name.startswith(prefix)
    }
    if not tensors:
        raise UserError(f"{path}: this checkpoint holds no model weights (model/trainable/...)")
    scale = checkpoint.metadata.get(LORA_SCALE)
    if scale is not None:
        tensors = adapters.merged(tensors, float(scale))
    return tensors, dict(checkpoint.metadata)


def result_of(workdir: str) -> str:
    """What a pre-training came to, or the newest checkpoint of a run's work directory."""
    folder = pathlib.Path(workdir)
    if (folder / PRETRAINED).is_file():
        return str(folder / PRETRAINED)
    if _is_pretraining(folder):
        raise UserError(f"{workdir}: the pre-training there is not finished; continue it first")
    folder = folder / "checkpoints" if (folder / "checkpoints").is_dir() else folder
    files = sorted(folder.glob("round-*.ckpt"))
    if not files:
        raise UserError(f"{workdir}: there is no checkpoint round-NNNNNN.ckpt in {folder}")
    return str(files[-1])


def _is_pretraining(folder: pathlib.Path) -> bool:
    try:
        config = from_json.record(folder / "config.json")
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("kind") == "pretrain"
