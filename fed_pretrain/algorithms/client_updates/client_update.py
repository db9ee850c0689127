"""The contract of a client update: what a client does between receiving weights and sending.

A client update is one class in one file, with its facts beside its work. TensorFlow is imported
only inside what is traced, so that names, help and refusals cost nothing.
"""

from __future__ import annotations

import abc
import collections
import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.untyped import (
    Client,
    Computation,
    Factory,
    Json,
    Nested,
    Spec,
    State,
    TffModel,
    TffType,
)

if TYPE_CHECKING:
    import tensorflow as tf

    from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs, Tensors
    from fed_pretrain.tasks.objective import Loss

Settings = Mapping[str, Json]
STATE = "rule"
"""The client update's part of the process' state, by the name it has in checkpoints."""


@dataclasses.dataclass
class Outcome:
    """What leaves a client.

    delta: weights received minus weights trained, before any scaling.
    scale: None, or what one unit of local work moves (the normaliser of FedNova).
    weight_factor: multiplies the client's weight.
    sums: tensors of this update's whose sum over the clients the server takes.
    client_state: the client's new state.
    """

    delta: Tensors
    scale: tf.Tensor | None = None
    weight_factor: tf.Tensor | float = 1.0
    sums: collections.OrderedDict[str, Nested] = dataclasses.field(
        default_factory=collections.OrderedDict
    )
    client_state: collections.OrderedDict[str, State] | None = None


def weight_of(training: LocalTraining, uniform: bool) -> tf.Tensor:
    """A client's weight in a mean over clients, by `AlgorithmConfig.weighting`."""
    import tensorflow as tf

    return tf.constant(1.0) if uniform else tf.cast(training.rows, tf.float32)


class SumsClients(Protocol):
    """The part of an executor that a first pass needs."""

    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[Client]
    ) -> Nested: ...


class FirstPass(Protocol):
    """A pass over the round's clients before its work: `state = run(executor, state, clients)`."""

    def run(self, executor: SumsClients, state: State, clients: Sequence[Client]) -> Nested: ...


class ClientUpdate(abc.ABC):
    """One client update; `server_state` travels to the clients beside the weights."""

    name: ClassVar[str]
    paper: ClassVar[str]
    help: ClassVar[str]

    algorithm: ClassVar[str | None] = None
    """The usual name of this update with a plain SGD server, as `--algorithm` takes it."""
    from_random: ClassVar[Settings] = {"client_learning_rate": 0.1}
    from_pretrained: ClassVar[Settings] = {"client_learning_rate": 0.002}
    fixed: ClassVar[Settings] = {}
    """The settings of that algorithm, by kind of start and whatever the start.

    Pre-trained starts want smaller steps on both sides: the pattern of the authors' tuned values,
    whose client rates are 0.0017 and 0.0027.
    """

    understands: ClassVar[tuple[str, ...]] = ()
    """Settings that only some updates read, this one among them."""

    keeps_state: ClassVar[bool] = False
    """Whether clients keep a state between rounds."""

    own_server_sums: ClassVar[bool] = False
    """Whether clients send sums beside the update, which no aggregator covers."""

    no_momentum: ClassVar[str | None] = None
    """Why --client_momentum cannot go with it, if it cannot."""

    one_rate: ClassVar[str | None] = None
    """Why the head cannot have its own rate, if it cannot."""

    own_gradient_steps: ClassVar[bool] = False
    """Whether its steps leave out local weight decay and clipping."""

    not_private: ClassVar[str | None] = None
    """Why differential privacy refuses it, if not for what it sends beside the update."""

    holds_server_optimizer: ClassVar[bool] = False
    """Whether clients step by the server's optimizer, its state fixed, and the server by SGD."""

    two_passes: ClassVar[bool] = False
    """Whether a round runs each client twice."""

    servers_own: ClassVar[str | None] = None
    """What the server makes of the updates, if not their weighted mean."""

    scaled: ClassVar[bool] = False
    """Whether outcomes carry a scale, which the aggregator then divides by."""

    needs_anchor: ClassVar[bool] = False
    """Whether gradients at the received weights are needed beside those at the trained ones."""

    extra_models_down: ClassVar[float] = 0.0
    extra_models_up: ClassVar[float] = 0.0
    """Models sent beside the weights and beside the update."""

    @classmethod
    def of(cls, config: ResolvedAlgorithm) -> Self:
        """The update with the config's settings."""
        return cls()

    def structure(self) -> Hashable:
        """Equal for updates that are compiled alike: what `of` took from the config is a constant.

        Rates and strengths are better taken from `training.numbers`, by a setting's name.
        """
        return type(self), *sorted(vars(self).items())

    @classmethod
    def refusals(cls, config: ResolvedAlgorithm) -> list[str]:
        """Why this config makes no sense, beyond what the facts above say."""
        return []

    def server_state(self, specs: Specs) -> State:
        """This update's state on the server before the first round."""
        return collections.OrderedDict()

    def client_state_spec(self, specs: Specs) -> collections.OrderedDict[str, Spec] | None:
        """What a client keeps between rounds, zeros before its first; None keeps nothing."""
        return None

    @abc.abstractmethod
    def work(self, training: LocalTraining, server: State, client: State) -> Outcome:
        """One client's round."""

    def advance(self, server: State, sums: Nested, numbers: Mapping[str, tf.Tensor]) -> State:
        """This update's server state after a round, from the summed `Outcome.sums`.

        `numbers`, of float64, are by name those of a run (algorithm_config.VALUES).
        """
        return server

    def wrap_aggregator(self, factory: Factory) -> Factory:
        """The aggregator with what this update adds to the mean."""
        return factory

    def first_pass(
        self,
        model_fn: Callable[[], TffModel],
        objective: Loss | None,
        weights_type: TffType,
        payload_type: TffType,
    ) -> FirstPass | None:
        """What each round begins with, if not with the clients' work."""
        return None
