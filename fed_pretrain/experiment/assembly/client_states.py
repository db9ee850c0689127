"""States that clients keep between rounds (SCAFFOLD, FedDyn), by client id, in the checkpoint."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from fed_pretrain.algorithms.algorithm import Algorithm
from groundwork.untyped import Json, State

_PREFIX = "clients/"


class ClientStates:
    """A client without a state has the algorithm's initial one."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._initial = (
            None if algorithm.client_state_spec is None else (algorithm.initial_client_state())
        )
        self._states: dict[str, Json] = {}

    def get(self, client_id: str) -> State:
        return self._states.get(client_id, self._initial)

    def update(self, states: Mapping[str, State]) -> None:
        self._states.update(states)

    def arrays(self) -> dict[str, np.ndarray]:
        """`clients/ID/NUMBER` for every leaf, in the order of ids."""
        return {
            f"{_PREFIX}{client_id}/{number}": np.asarray(leaf)
            for client_id in sorted(self._states)
            for number, leaf in enumerate(tf.nest.flatten(self._states[client_id]))
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        found: dict[str, dict[int, np.ndarray]] = {}
        for name, array in arrays.items():
            if name.startswith(_PREFIX):
                client_id, _, number = name.removeprefix(_PREFIX).rpartition("/")
                found.setdefault(client_id, {})[int(number)] = array
        self._states = {
            client_id: tf.nest.pack_sequence_as(
                self._initial, [leaves[number] for number in sorted(leaves)]
            )
            for client_id, leaves in found.items()
        }
