"""Central differential privacy of clients: clipped updates, Gaussian noise on their sum.

The clipping is TFF's, the noise a pure function of (seed, round). The mean divides by the expected
number of clients, not by how many came, as the analysis wants.
"""

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.aggregators.keyed_sum import KeyedSumFactory
from groundwork import randomness
from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class PrivateMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """Uniform mean of clipped updates; a weight only says whether the client counts at all."""

    def __init__(
        self,
        inner_sum: Factory,
        clip_norm: float,
        noise_multiplier: float,
        clients_per_round: int,
        seed: int,
    ) -> None:
        deviation = noise_multiplier * clip_norm

        def noisy(total: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
            return total + deviation * tf.random.stateless_normal(total.shape, key, alg="philox")

        key = randomness.stateless_seed(seed, "privacy noise")
        noisy_sum = KeyedSumFactory(inner_sum, key, at_server=noisy)
        self._sum = tff.aggregators.clipping_factory(clip_norm, noisy_sum)
        self._clients = float(clients_per_round)

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._sum.create(value_type)
        clients = self._clients

        @tff.tensorflow.computation(value_type)
        def divide(total: Nested) -> Nested:
            return tf.nest.map_structure(lambda t: t / clients, total)

        @tff.federated_computation(
            inner.initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            output = inner.next(state, value)
            return tff.templates.MeasuredProcessOutput(
                output.state, tff.federated_map(divide, output.result), output.measurements
            )

        return tff.templates.AggregationProcess(inner.initialize, next_fn)


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
