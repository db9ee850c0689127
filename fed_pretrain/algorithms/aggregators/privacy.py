"""Central differential privacy of clients: clipped updates, Gaussian noise on their sum.

The clipping is TFF's, the noise a pure function of (seed, round). The mean divides by the planned
number of clients, not by how many came, as the analysis wants. What has been spent:
fed_pretrain.algorithms.accountants.
"""

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import correlation
from fed_pretrain.algorithms.aggregators.keyed_sum import KeyedSumFactory, KeyOf, Step
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork import randomness
from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class PrivateMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """Uniform mean of clipped updates; a weight only says whether the client counts at all."""

    def __init__(self, inner_sum: Factory, config: ResolvedAlgorithm) -> None:
        key = randomness.stateless_seed(config.seed, "privacy noise")
        noisy_sum = KeyedSumFactory(inner_sum, key, at_server=_noisy(config))
        self._sum = tff.aggregators.clipping_factory(config.dp_clip_norm, noisy_sum)
        self._clients = float(config.planned_clients)

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


def _noisy(config: ResolvedAlgorithm) -> Step:
    deviation = (config.dp_noise_multiplier or 0.0) * config.dp_clip_norm

    def independent(total: tf.Tensor, key_of: KeyOf, round_number: tf.Tensor) -> tf.Tensor:
        return total + deviation * _normal(total, key_of(round_number))

    def correlated(total: tf.Tensor, key_of: KeyOf, round_number: tf.Tensor) -> tf.Tensor:
        shares = tf.constant(correlation.shares(config.dp_noise_bands), tf.float32)
        since_restart = round_number % config.restart_rounds
        draws = tf.minimum(since_restart + 1, config.dp_noise_bands)

        def add(back: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            drawn = _normal(total, key_of(round_number - back))
            return back + 1, noise + shares[back] * drawn

        _, noise = tf.while_loop(
            lambda back, _: back < draws, add, (tf.constant(0), tf.zeros_like(total))
        )
        return total + deviation * noise

    return {"independent": independent, "correlated": correlated}[config.dp_noise]


def _normal(like: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_normal(like.shape, key, alg="philox")
