"""A composed algorithm: the learning process and what a driver must know about it."""

import collections
import dataclasses
from typing import Any

import numpy as np

from fed_pretrain.algorithms import client_work
from fed_pretrain.algorithms.config import AlgorithmConfig


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """`process` is a `tff.learning.templates.LearningProcess`.

    client_state_spec: what one client keeps between rounds, or None; then client data is
    OrderedDict(data=sequence of one payload, state=sequence of one state).
    models_down, models_up: what a client receives and sends a round, in trainable models.
    """

    config: AlgorithmConfig
    process: Any
    client_state_spec: Any
    layer_names: tuple[str, ...]
    models_down: float
    models_up: float
    first_pass: Any = None

    def initial_client_state(self) -> Any:
        """The state of a client that has not been chosen yet."""
        if self.client_state_spec is None:
            return None
        return _map(lambda s: np.zeros(s.shape, s.dtype.as_numpy_dtype), self.client_state_spec)

    def train_sums(self, metrics: Any) -> "collections.OrderedDict[str, float]":
        """Sums over the round's clients: loss_sum, count, correct, scored, examples, ..."""
        sums = metrics["client_work"]["train"]
        return collections.OrderedDict((name, float(sums[name])) for name in client_work.SUMS)

    def alignment(self, metrics: Any) -> "collections.OrderedDict[str, float] | None":
        """The alignment sums of the whole update; see alignment_sums.py."""
        vectors = self._alignment_vectors(metrics)
        if vectors is None:
            return None
        return collections.OrderedDict((name, float(v[0])) for name, v in vectors.items())

    def layer_alignment(self, metrics: Any) -> "dict[str, dict[str, float]]":
        """The alignment sums of each layer; empty unless --alignment=layers."""
        vectors = self._alignment_vectors(metrics) or {}
        return (
            {
                layer: {name: float(v[i + 1]) for name, v in vectors.items()}
                for i, layer in enumerate(self.layer_names)
            }
            if self.config.alignment == "layers"
            else {}
        )

    def _alignment_vectors(self, metrics: Any) -> Any:
        if self.config.alignment == "none":
            return None
        sums = metrics["aggregator"]["alignment"]
        return collections.OrderedDict(
            (name, np.asarray(value))
            for part in ("clients", "consecutive")
            for name, value in sums[part].items()
        )


def _map(function: Any, structure: Any) -> Any:
    if isinstance(structure, dict):
        return collections.OrderedDict((k, _map(function, v)) for k, v in structure.items())
    if isinstance(structure, (list, tuple)):
        return [_map(function, v) for v in structure]
    return function(structure)
