"""What a client keeps between rounds: its update's own state, its own layers, its optimizer."""

import collections
import dataclasses
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.client_updates.client_update import Outcome
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs
from groundwork.untyped import Nested, Spec, State, Weights


@dataclasses.dataclass(frozen=True)
class KeptState:
    """own: the spec of the client update's; slots: those of the optimizer's, if they are kept.

    specs: of the trainable weights; personal: the positions of those that stay at the client,
    which never leave it and take the place of the received ones from its second round on.
    """

    own: Spec
    specs: Specs
    personal: Sequence[int] = ()
    slots: Specs = ()

    @property
    def spec(self) -> Spec:
        """None where nothing is kept, and the update's alone where it alone keeps something."""
        if not self.personal and not self.slots:
            return self.own
        parts: Spec = collections.OrderedDict(known=tf.TensorSpec([], tf.float32))
        if self.own is not None:
            parts["own"] = self.own
        parts["personal"] = [self.specs[position] for position in self.personal]
        parts["slots"] = list(self.slots)
        return parts

    def own_of(self, client: State) -> State:
        """The part of the client update."""
        if not self.personal and not self.slots:
            return client
        return client["own"] if self.own is not None else collections.OrderedDict()

    def slots_of(self, client: State) -> Sequence[tf.Tensor] | None:
        return list(client["slots"]) if self.slots else None

    def received(self, weights: Weights, client: State) -> Weights:
        """The weights as the client begins with them: its own layers in their place."""
        if not self.personal:
            return weights
        trainable = list(weights.trainable)
        for position, mine in zip(self.personal, client["personal"], strict=True):
            trainable[position] = tf.where(client["known"] > 0.0, mine, trainable[position])
        return tff.learning.models.ModelWeights(trainable, list(weights.non_trainable))

    def left(self, training: LocalTraining, outcome: Outcome) -> Outcome:
        """The outcome without what stays at the client, and with all that it keeps."""
        if not self.personal and not self.slots:
            return outcome
        delta = list(outcome.delta)
        for position in self.personal:
            delta[position] = tf.zeros_like(delta[position])
        kept: Nested = collections.OrderedDict(known=tf.constant(1.0))
        if self.own is not None:
            kept["own"] = outcome.client_state
        kept["personal"] = [tf.convert_to_tensor(training.variables[i]) for i in self.personal]
        kept["slots"] = [tf.convert_to_tensor(s) for s in training.optimizer.slots if self.slots]
        return dataclasses.replace(outcome, delta=delta, client_state=kept)
