"""Parts of a model whose curvature is looked at by itself, all other weights held fixed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.errors import UserError
from fed_pretrain.probes.curvature.config import EACH


@dataclass(frozen=True)
class Block:
    """Trainable tensors by name, and their positions among the model's trainable variables."""

    name: str
    tensors: tuple[str, ...]
    positions: tuple[int, ...]


def chosen(names: Sequence[str], layers: str) -> Block:
    """The block that `--hessian_layers` names; the whole model for `each` and for nothing."""
    if layers in ("", EACH):
        return _block("all", names, range(len(names)))
    try:
        pattern = re.compile(layers)
    except re.error as error:
        raise UserError(f"--hessian_layers={layers}: no regular expression ({error})") from error
    found = [position for position, name in enumerate(names) if pattern.search(name)]
    if not found:
        raise UserError(f"--hessian_layers={layers} matches none of {', '.join(names)}")
    return _block(layers, names, found)


def of_each_layer(names: Sequence[str]) -> list[Block]:
    """One block a layer, in the model's order: a tensor is named LAYER/ATTRIBUTE."""
    layers: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        layers.setdefault(name.rsplit("/", 1)[0], []).append(position)
    return [_block(layer, names, positions) for layer, positions in layers.items()]


def _block(name: str, names: Sequence[str], positions: Sequence[int]) -> Block:
    return Block(name, tuple(names[position] for position in positions), tuple(positions))
