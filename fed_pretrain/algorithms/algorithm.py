"""A composed algorithm: the learning process and what a driver needs to know about it."""

import collections
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from fed_pretrain.algorithms import accountants, client_process, values
from fed_pretrain.algorithms.algorithm_config import SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates.client_update import FirstPass
from fed_pretrain.algorithms.kept_state import KeptState
from groundwork.untyped import Computation, Nested, Process, Spec, State


class Initializes(Protocol):
    """The part of an executor that gives a process' initial state."""

    def initialize(self, process: Process) -> State: ...


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """`process` is a `tff.learning.templates.LearningProcess`.

    kept: what one client keeps between rounds.
    models_down, models_up: what a client receives and sends a round, in trainable models.
    build_one_client: see `one_client`.
    first_parts: the parts of an initial state that depend on the numbers of a config.
    """

    config: ResolvedAlgorithm
    process: Process
    kept: KeptState
    layer_names: tuple[str, ...]
    models_down: float
    models_up: float
    build_one_client: Callable[[], Computation]
    first_parts: Callable[[ResolvedAlgorithm], dict[str, State]]
    first_pass: FirstPass | None = None

    @property
    def client_state_spec(self) -> Spec:
        """Of what one client keeps between rounds, or None.

        With it client data is OrderedDict(data=sequence of a payload, state=sequence of a state).
        """
        return self.kept.spec

    def initial_state(self, executor: Initializes) -> State:
        """The process' own; it may be shared with other configs, and the numbers are this one's."""
        state = executor.initialize(self.process)
        parts = state if isinstance(state, Mapping) else state._asdict()
        first = self.first_parts(self.config)
        if not first:
            return parts
        aggregator = values.renewed(parts["aggregator"], first["client_work"][SETTINGS])
        return {**parts, **first, "aggregator": aggregator}

    @functools.cached_property
    def one_client(self) -> Computation:
        """`((state, weights), client data) -> (update, weight)`: a client's work by itself.

        `told(state)` is its first argument; built when first asked for.
        """
        return self.build_one_client()

    def told(self, state: State) -> "collections.OrderedDict[str, Nested]":
        """The part of the process' state that the clients of a round receive."""
        parts = state if isinstance(state, Mapping) else state._asdict()
        weights = parts["global_model_weights"]
        if self.config.late_rounds:
            weights = collections.OrderedDict(now=weights, past=parts["distributor"])
        return collections.OrderedDict(state=parts["client_work"], weights=weights)

    @property
    def label(self) -> str:
        """What a progress line calls it."""
        optimizer = self.config.server_optimizer
        if optimizer == "sgd" and self.config.server_momentum:
            optimizer = "momentum"
        return f"{self.config.client_update} x {optimizer}"

    def extra_columns(self, metrics: Nested) -> dict[str, float]:
        """What the parts around the update report of a round: clipping, tau_eff.

        With privacy nothing but what was spent: the rest are exact sums over clients.
        """
        if self.config.private:
            return {"dp_epsilon": self.spent_epsilon(int(metrics["client_work"]["round"]))}
        found = named_scalars(metrics["aggregator"])
        names = ("tau_eff", "clipped_count", "clipping_norm", "zeroed_count")
        return {name: found[name] for name in names if name in found}

    def spent_epsilon(self, rounds: int) -> float:
        """The privacy spent after this many rounds."""
        return self._accountant.epsilon(rounds) if self.config.private else float("inf")

    @functools.cached_property
    def _accountant(self) -> accountants.Accountant:
        return accountants.accountant(self.config)

    def initial_client_state(self) -> State:
        """The state of a client that has not been chosen yet."""
        if self.client_state_spec is None:
            return None
        return _map(lambda s: np.zeros(s.shape, s.dtype.as_numpy_dtype), self.client_state_spec)

    def train_sums(self, metrics: Nested) -> "collections.OrderedDict[str, float]":
        """Sums over the round's clients: loss_sum, count, correct, scored, examples, ..."""
        sums = metrics["client_work"]["train"]
        return collections.OrderedDict((name, float(sums[name])) for name in client_process.SUMS)

    def alignment(self, metrics: Nested) -> "collections.OrderedDict[str, float] | None":
        """The alignment sums of the whole update; see alignment_sums.py."""
        vectors = self._alignment_vectors(metrics)
        if vectors is None:
            return None
        return collections.OrderedDict((name, float(v[0])) for name, v in vectors.items())

    def layer_alignment(self, metrics: Nested) -> "dict[str, dict[str, float]]":
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

    def _alignment_vectors(self, metrics: Nested) -> Nested:
        if self.config.alignment == "none":
            return None
        sums = metrics["aggregator"]["alignment"]
        return collections.OrderedDict(
            (name, np.asarray(value))
            for part in ("clients", "consecutive")
            for name, value in sums[part].items()
        )


def named_scalars(structure: Nested) -> dict[str, float]:
    """The numbers in it, by their last names."""
    found: dict[str, float] = {}
    for name, value in structure.items() if isinstance(structure, Mapping) else ():
        if isinstance(value, Mapping):
            found |= named_scalars(value)
        elif np.ndim(value) == 0:
            found[str(name)] = float(value)
    return found


def _map(function: Any, structure: Nested) -> Nested:
    if isinstance(structure, dict):
        return collections.OrderedDict((k, _map(function, v)) for k, v in structure.items())
    if isinstance(structure, (list, tuple)):
        return [_map(function, v) for v in structure]
    return function(structure)
