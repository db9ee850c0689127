"""What a curvature probe measures and how well; the flags of `analyze` and of `train`."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.errors import UserError
from groundwork.settings import setting

ALL = "all"
EACH = "each"


@dataclasses.dataclass(frozen=True)
class CurvatureConfig:
    examples: str = setting(
        "2000",
        "Training examples the curvature is measured on, drawn in proportion to client size, or"
        " `all`.",
        flag="hessian_examples",
    )
    eigenvalues: int = setting(
        1, "Eigenvalues at each end.", flag="hessian_eigenvalues", lower_bound=1
    )
    smallest: bool = setting(False, "Also the smallest eigenvalues.", flag="hessian_smallest")
    power_iteration: bool = setting(
        False,
        "Also the eigenvalue largest in absolute value by power iteration, a second opinion.",
        flag="hessian_power_iteration",
    )
    layers: str = setting(
        "",
        "Only the block of the weights whose names (conv1/kernel) match this regular expression,"
        " the others held fixed; `each`: also the block of every layer by itself.",
        flag="hessian_layers",
    )
    iterations: int = setting(
        100, "Lanczos steps at most.", flag="hessian_iterations", lower_bound=1
    )
    tolerance: float = setting(
        1e-3, "Relative residual to reach.", flag="hessian_tolerance", lower_bound=0.0
    )
    density_vectors: int = setting(
        0,
        "Start vectors of the spectral density; 0 = none.",
        flag="hessian_density_vectors",
        lower_bound=0,
    )
    trace_samples: int = setting(
        0, "Samples of the trace estimate; 0 = none.", flag="hessian_trace_samples", lower_bound=0
    )
    micro_batch: int = setting(
        128,
        "Rows of a client held in memory at once; changes no number but by rounding.",
        flag="hessian_micro_batch",
        lower_bound=1,
    )
    seed: int | None = setting(
        None, "Decides the draw and the start vectors; default is the run's.", flag="hessian_seed"
    )

    def __post_init__(self) -> None:
        _ = self.number_of_examples

    @property
    def number_of_examples(self) -> int | None:
        """None is every training example."""
        return number_of_examples("hessian_examples", self.examples)

    def seed_in(self, run_seed: int) -> int:
        return run_seed if self.seed is None else self.seed


def number_of_examples(flag: str, text: str) -> int | None:
    """Of a flag that takes a number of examples or `all`; None for `all`."""
    if text == ALL:
        return None
    if not text.isdigit() or not int(text):
        raise UserError(f"--{flag}={text}: give a number or `{ALL}`")
    return int(text)


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
