"""What a client does between receiving the weights and sending an update."""

import abc
import collections
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining

Tensors = list[tf.Tensor]
Specs = Sequence[tf.TensorSpec]
State = "collections.OrderedDict[str, Any]"


@dataclasses.dataclass
class Outcome:
    """What leaves a client.

    delta: weights received minus weights trained, before any scaling.
    scale: None, or what one unit of local work moves (the normaliser of FedNova).
    weight_factor: multiplies the client's weight.
    sums: rule-specific tensors whose sum over the clients the server takes.
    client_state: the client's own new state.
    """

    delta: Tensors
    scale: tf.Tensor | None = None
    weight_factor: tf.Tensor | float = 1.0
    sums: "collections.OrderedDict[str, Any]" = dataclasses.field(
        default_factory=collections.OrderedDict
    )
    client_state: "collections.OrderedDict[str, Any] | None" = None


class ClientUpdate(abc.ABC):
    """One rule; `server_state` travels to the clients beside the weights."""

    scaled: bool = False
    """Whether outcomes carry a scale, which the aggregator then divides by."""

    needs_anchor: bool = False
    """Whether gradients at the received weights are needed beside those at the trained ones."""

    extra_models_down: float = 0.0
    extra_models_up: float = 0.0
    """Models sent beside the weights and beside the update."""

    def server_state(self, specs: Specs) -> Any:
        """The rule's own state on the server before the first round."""
        return collections.OrderedDict()

    def client_state_spec(self, specs: Specs) -> "collections.OrderedDict[str, Any] | None":
        """What a client keeps between rounds, zeros before its first; None keeps nothing."""
        return None

    @abc.abstractmethod
    def work(self, training: "LocalTraining", server: Any, client: Any) -> Outcome:
        """One client's round."""

    def advance(self, server: Any, sums: Any) -> Any:
        """The rule's server state after a round, from the summed `Outcome.sums`."""
        return server

    def wrap_aggregator(self, factory: Any) -> Any:
        """The aggregator with what this rule adds to the mean update."""
        return factory


def zeros(specs: Specs) -> Tensors:
    return [tf.zeros(spec.shape, spec.dtype) for spec in specs]
