"""The server state of a learning process as named arrays, and back, without knowing its layout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.errors import UserError
from fed_pretrain.executors import structures
from fed_pretrain.executors.structures import Struct, Tree

WEIGHTS = "global_model_weights"


@dataclass(frozen=True)
class ModelArrays:
    """A model's weights in the order of its variables."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]


@dataclass(frozen=True)
class StateLayout:
    """Names the leaves of a state; the model's leaves carry their tensors' canonical names."""

    tree: Tree
    paths: tuple[str, ...]

    @classmethod
    def of(cls, process: Any, names: tuple[Sequence[str], Sequence[str]]) -> "StateLayout":
        tree = structures.from_type(process.initialize.type_signature.result)
        return cls(tree, tuple(_paths(tree, "state", names)))

    def to_arrays(self, state: Any) -> dict[str, np.ndarray]:
        leaves = structures.flatten(state, self.tree)
        return {
            path: np.asarray(structures.to_host(leaf))
            for path, leaf in zip(self.paths, leaves, strict=True)
        }

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> Any:
        missing = [path for path in self.paths if path not in arrays]
        if missing:
            raise UserError(f"the checkpoint lacks {missing[0]!r}: it is of another process")
        return structures.unflatten(iter([arrays[path] for path in self.paths]), self.tree)

    def model(self, state: Any) -> ModelArrays:
        arrays = self.to_arrays(state)
        return ModelArrays(
            [arrays[path] for path in self.paths if path.startswith("model/trainable/")],
            [arrays[path] for path in self.paths if path.startswith("model/non_trainable/")],
        )

    def with_model(self, state: Any, weights: tuple[list[np.ndarray], list[np.ndarray]]) -> Any:
        """The state with other model weights."""
        arrays = self.to_arrays(state)
        for kind, values in zip(("trainable", "non_trainable"), weights, strict=True):
            paths = [path for path in self.paths if path.startswith(f"model/{kind}/")]
            arrays |= zip(paths, values, strict=True)
        return self.from_arrays(arrays)


def _paths(tree: Tree, place: str, names: tuple[Sequence[str], Sequence[str]]) -> Iterator[str]:
    if not isinstance(tree, Struct):
        yield place
        return
    for index, (name, child) in enumerate(zip(tree.names, tree.children, strict=True)):
        if name == WEIGHTS and place == "state":
            yield from (f"model/trainable/{one}" for one in names[0])
            yield from (f"model/non_trainable/{one}" for one in names[1])
        else:
            yield from _paths(child, f"{place}/{name or index}", names)
