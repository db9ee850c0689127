"""A sum with a random step at the server, repeatable by (key, round).

TFF's own factories draw from generators without a key, so that a resumed run could not repeat
their noise. Here the state counts the rounds, and tensor i of round r has the key (key, r, i) of
the run's own key. A step may ask for the keys of other rounds too: what was drawn then is drawn
again, not remembered.
"""

import collections
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import NOISE_KEY, SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.values import Numbers, first_numbers, named
from groundwork.untyped import Computation, Factory, Federated, Nested, Process, TffType

KeyOf = Callable[[tf.Tensor], tf.Tensor]
Step = Callable[[tf.Tensor, KeyOf, tf.Tensor, Numbers], tf.Tensor]


class KeyedSumFactory(tff.aggregators.UnweightedAggregationFactory):
    """`at_server(tensor of the sum, its key by round, this round, numbers)` is the tensor to go on
    with. Rounds count from 0; the numbers are those of the config.
    """

    def __init__(self, inner: Factory, config: ResolvedAlgorithm, at_server: Step) -> None:
        self._inner = inner
        self._config = config
        self._at_server = at_server

    def create(self, value_type: TffType) -> Process:
        inner = self._inner.create(value_type)
        settings = first_numbers(self._config)
        keyed = self._keyed(value_type, settings.type_signature.result)

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
                    inner=inner.initialize(),
                    round=tff.federated_eval(first_round, tff.SERVER),
                    settings=tff.federated_eval(settings, tff.SERVER),
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Federated, value: Federated) -> Federated:
            number, numbers = state["round"], state[SETTINGS]
            output = inner.next(state["inner"], value)
            result = tff.federated_map(keyed, (output.result, number, numbers))
            new_state = collections.OrderedDict(
                inner=output.state, round=tff.federated_map(following, number), settings=numbers
            )
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(new_state), result, output.measurements
            )

        return tff.templates.AggregationProcess(initialize, next_fn)

    def _keyed(self, value_type: TffType, settings_type: TffType) -> Computation:
        @tff.tensorflow.computation(value_type, tff.TensorType(np.int32), settings_type)
        def keyed(value: Nested, round_number: Nested, settings: Nested) -> Nested:
            numbers = named(settings)
            key = tf.cast(tf.stack([numbers[part] for part in NOISE_KEY]), tf.int32)

            def key_of(position: int) -> KeyOf:
                return lambda number: _fold(_fold(key, number), position)

            return [
                self._at_server(tensor, key_of(position), round_number, numbers)
                for position, tensor in enumerate(value)
            ]

        return keyed


def _fold(key: tf.Tensor, number: Nested) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(key, number, alg="philox")
