"""Central differential privacy of clients: clipped updates, Gaussian noise on their sum.

TFF's own factory draws its noise from a generator without a key, so that a resumed run could not
repeat it. Here the clipping is TFF's and the noise a pure function of (seed, round). The mean
divides by the expected number of clients, not by how many came, as the analysis wants.
"""

import collections
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from data_prep import randomness


class PrivateMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """Uniform mean of clipped updates; a weight only says whether the client counts at all."""

    def __init__(
        self,
        inner_sum: Any,
        clip_norm: float,
        noise_multiplier: float,
        clients_per_round: int,
        seed: int,
    ) -> None:
        noisy = _NoisySumFactory(inner_sum, noise_multiplier * clip_norm, seed)
        self._sum = tff.aggregators.clipping_factory(clip_norm, noisy)
        self._clients = float(clients_per_round)

    def create(self, value_type: Any, weight_type: Any) -> Any:
        inner = self._sum.create(value_type)
        clients = self._clients

        @tff.tensorflow.computation(value_type)
        def divide(total: Any) -> Any:
            return tf.nest.map_structure(lambda t: t / clients, total)

        @tff.federated_computation(
            inner.initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Any, value: Any, weight: Any) -> Any:
            output = inner.next(state, value)
            return tff.templates.MeasuredProcessOutput(
                output.state, tff.federated_map(divide, output.result), output.measurements
            )

        return tff.templates.AggregationProcess(inner.initialize, next_fn)


class _NoisySumFactory(tff.aggregators.UnweightedAggregationFactory):
    def __init__(self, inner: Any, deviation: float, seed: int) -> None:
        self._inner = inner
        self._deviation = deviation
        self._key = randomness.stateless_seed(seed, "privacy noise")

    def create(self, value_type: Any) -> Any:
        inner = self._inner.create(value_type)

        @tff.tensorflow.computation
        def first_round() -> Any:
            return tf.constant(0)

        @tff.tensorflow.computation(value_type, first_round.type_signature.result)
        def noisy(total: Any, round_number: Any) -> Any:
            fold = tf.random.experimental.stateless_fold_in
            key = fold(tf.constant(self._key), round_number, alg="philox")
            return [
                t
                + self._deviation
                * tf.random.stateless_normal(t.shape, fold(key, i, alg="philox"), alg="philox")
                for i, t in enumerate(total)
            ]

        @tff.tensorflow.computation(first_round.type_signature.result)
        def following(round_number: Any) -> Any:
            return round_number + 1

        @tff.federated_computation
        def initialize() -> Any:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(), round=tff.federated_eval(first_round, tff.SERVER)
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result, tff.FederatedType(value_type, tff.CLIENTS)
        )
        def next_fn(state: Any, value: Any) -> Any:
            output = inner.next(state["inner"], value)
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(
                    collections.OrderedDict(
                        inner=output.state, round=tff.federated_map(following, state["round"])
                    )
                ),
                tff.federated_map(noisy, (output.result, state["round"])),
                output.measurements,
            )

        return tff.templates.AggregationProcess(initialize, next_fn)


def spent_epsilon(
    noise_multiplier: float, clients_per_round: int, population: int, rounds: int, delta: float
) -> float:
    """epsilon at `delta` after `rounds`, for replacing one client by another.

    Cohorts are drawn without replacement, for which the accountant knows the replace-one relation
    only; replacing a client moves the sum by up to twice the clip norm.
    """
    import dp_accounting  # 1.5 s to import

    if rounds == 0:
        return 0.0
    if noise_multiplier == 0:
        return float("inf")
    accountant = dp_accounting.rdp.RdpAccountant(
        neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE
    )
    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier / 2.0)
    accountant.compose(
        dp_accounting.SampledWithoutReplacementDpEvent(population, clients_per_round, gaussian),
        rounds,
    )
    return float(accountant.get_epsilon(delta))
