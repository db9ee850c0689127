"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) beside layers that stay as they are.

A layer with kernel W computes with W + scale * A B: A [inputs, rank], of a convolution
[*window, inputs, rank], and B [rank, outputs]. B starts at zero and A with orthonormal columns, so
that a plain step of B moves the product by scale^2 times the projection of W's own step on the
columns of A; at full rank and a scale of one it is that step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

A, B = "lora_a", "lora_b"


@dataclasses.dataclass(frozen=True)
class Adapters:
    """rank: lowered to the inputs of a smaller layer. targets: a pattern of layer names.

    trains_a: otherwise A stays as it was drawn (FFA-LoRA). corrects: the server adds to the kernels
    what the means of A and B leave out of the mean of their products (FedEx-LoRA).
    """

    rank: int
    scale: float
    targets: str
    trains_a: bool
    corrects: bool


@dataclasses.dataclass(frozen=True)
class Correction:
    """Of one adapter: positions of A and B among what trains, and of the kernel in the rest."""

    a: int
    b: int
    kernel: int
    scale: float


def merged(values: Mapping[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """Weights by name, each adapter added to its kernel: those of the plain model."""
    result = {name: value for name, value in values.items() if _part(name) not in (A, B)}
    for name, a in values.items():
        if _part(name) == A:
            layer = name.rpartition("/")[0]
            kernel, b = result[f"{layer}/kernel"], values[f"{layer}/{B}"]
            if a.size // max(1, a.shape[-1]) * b.shape[-1] != kernel.size:
                raise ValueError(f"the adapter of {layer!r} does not fit its kernel")
            product = a.reshape(-1, a.shape[-1]).astype(np.float64) @ b.astype(np.float64)
            whole = kernel + scale * product.reshape(kernel.shape)
            result[f"{layer}/kernel"] = whole.astype(kernel.dtype)
    return result


def layers(training: Sequence[str]) -> list[str]:
    """Those with adapters, by the names of the weights that train."""
    return [name.rpartition("/")[0] for name in training if _part(name) == B]


def _part(name: str) -> str:
    return name.rpartition("/")[2]
