"""Central differential privacy of clients: clipped updates, Gaussian noise on their sum.

The clipping is TFF's, the noise a pure function of (seed, round). The mean divides by the planned
number of clients, not by how many came, as the analysis wants. What has been spent:
fed_pretrain.algorithms.accountants.
"""

import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import correlation
from fed_pretrain.algorithms.aggregators.keyed_sum import KeyedSumFactory, KeyOf, Step
from fed_pretrain.algorithms.algorithm_config import SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.values import Numbers, divided, first_numbers, named, single
from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class PrivateMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """Uniform mean of clipped updates; a weight only says whether the client counts at all."""

    def __init__(self, inner_sum: Factory, config: ResolvedAlgorithm) -> None:
        mean = KeyedSumFactory(inner_sum, config, at_server=_noisy_mean(config))
        self._mean = tff.aggregators.clipping_factory(_clip_norm(config), mean)

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._mean.create(value_type)

        @tff.federated_computation(
            inner.initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            return inner.next(state, value)

        return tff.templates.AggregationProcess(inner.initialize, next_fn)


def _clip_norm(config: ResolvedAlgorithm) -> Process:
    """What TFF's clipping asks for its norm: the config's, whatever the clients' norms are."""
    settings = first_numbers(config)

    @tff.tensorflow.computation(settings.type_signature.result)
    def norm(numbers: Nested) -> Nested:
        return single(named(numbers)["dp_clip_norm"])

    @tff.federated_computation
    def initialize() -> Federated:
        return tff.federated_zip(
            collections.OrderedDict(settings=tff.federated_eval(settings, tff.SERVER))
        )

    state_type = initialize.type_signature.result

    @tff.federated_computation(state_type, tff.FederatedType(np.float32, tff.CLIENTS))
    def unchanged(state: Federated, norms: Federated) -> Federated:
        return state

    @tff.federated_computation(state_type)
    def report(state: Federated) -> Federated:
        return tff.federated_map(norm, state[SETTINGS])

    return tff.templates.EstimationProcess(initialize, unchanged, report)


def _noisy_mean(config: ResolvedAlgorithm) -> Step:
    def independent(
        total: tf.Tensor, key_of: KeyOf, round_number: tf.Tensor, numbers: Numbers
    ) -> tf.Tensor:
        return _normal(total, key_of(round_number))

    def correlated(
        total: tf.Tensor, key_of: KeyOf, round_number: tf.Tensor, numbers: Numbers
    ) -> tf.Tensor:
        shares = tf.constant(correlation.shares(config.dp_noise_bands), tf.float32)
        since_restart = round_number % tf.cast(numbers["restart_rounds"], tf.int32)
        draws = tf.minimum(since_restart + 1, config.dp_noise_bands)

        def add(back: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            drawn = _normal(total, key_of(round_number - back))
            return back + 1, noise + shares[back] * drawn

        _, noise = tf.while_loop(
            lambda back, _: back < draws, add, (tf.constant(0), tf.zeros_like(total))
        )
        return noise

    noise_of: Step = {"independent": independent, "correlated": correlated}[config.dp_noise]

    def noisy_mean(
        total: tf.Tensor, key_of: KeyOf, round_number: tf.Tensor, numbers: Numbers
    ) -> tf.Tensor:
        deviation = single(numbers["dp_noise_multiplier"] * numbers["dp_clip_norm"])
        noise = noise_of(total, key_of, round_number, numbers)
        return divided(total + deviation * noise, numbers["planned_clients"])

    return noisy_mean


def _normal(like: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_normal(like.shape, key, alg="philox")
