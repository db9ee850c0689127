"""A sum with a random step at the server, repeatable by (key, round).

TFF's own factories draw from generators without a key, so that a resumed run could not repeat
their noise. Here the state counts the rounds, and tensor i of round r has the key (key, r, i). A
step may ask for the keys of other rounds too: what was drawn then is drawn again, not remembered.
"""

import collections
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from groundwork.untyped import Computation, Factory, Federated, Nested, Process, TffType

KeyOf = Callable[[tf.Tensor], tf.Tensor]
Step = Callable[[tf.Tensor, KeyOf, tf.Tensor], tf.Tensor]


class KeyedSumFactory(tff.aggregators.UnweightedAggregationFactory):
    """`at_server(tensor of the sum, its key by round, this round)` is the tensor to go on with.

    Rounds count from 0.
    """

    def __init__(self, inner: Factory, key: np.ndarray, at_server: Step) -> None:
        self._inner = inner
        self._key = key
        self._at_server = at_server

    def create(self, value_type: TffType) -> Process:
        inner = self._inner.create(value_type)

        @tff.tensorflow.computation
        def first_round() -> Nested:
            return tf.constant(0)

        @tff.tensorflow.computation(first_round.type_signature.result)
        def following(round_number: Nested) -> Nested:
            return round_number + 1

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(), round=tff.federated_eval(first_round, tff.SERVER)
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Federated, value: Federated) -> Federated:
            number = state["round"]
            output = inner.next(state["inner"], value)
            result = tff.federated_map(
                self._keyed(self._at_server, value_type), (output.result, number)
            )
            new_state = collections.OrderedDict(
                inner=output.state, round=tff.federated_map(following, number)
            )
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(new_state), result, output.measurements
            )

        return tff.templates.AggregationProcess(initialize, next_fn)

    def _keyed(self, step: Step, value_type: TffType) -> Computation:
        @tff.tensorflow.computation(value_type, tff.TensorType(np.int32))
        def keyed(value: Nested, round_number: Nested) -> Nested:
            def key_of(position: int) -> KeyOf:
                return lambda number: _fold(_fold(tf.constant(self._key), number), position)

            return [step(tensor, key_of(i), round_number) for i, tensor in enumerate(value)]

        return keyed


def _fold(key: tf.Tensor, number: Nested) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(key, number, alg="philox")
