"""What FedNova and FedDyn put around any weighted mean."""

import collections

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.values import divided, first_numbers, named
from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class NovaMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """tau_eff * mean_i(Delta_i / a_i), of {delta, scale}; tau_eff is the scales' weighted mean."""

    def __init__(self, inner: Factory) -> None:
        self._inner = inner

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._inner.create(value_type.delta, weight_type)
        scales = tff.aggregators.MeanFactory(no_nan_division=True).create(
            value_type.scale, weight_type
        )

        @tff.tensorflow.computation(value_type)
        def normalised(value: Nested) -> Nested:
            return tf.nest.map_structure(
                lambda d: tf.math.divide_no_nan(d, value["scale"]), value["delta"]
            )

        @tff.tensorflow.computation(value_type.delta, value_type.scale)
        def rescaled(mean: Nested, scale: Nested) -> Nested:
            return tf.nest.map_structure(lambda m: m * scale, mean)

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_zip(
                collections.OrderedDict(inner=inner.initialize(), scales=scales.initialize())
            )

        @tff.federated_computation(
            initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            means = inner.next(state["inner"], tff.federated_map(normalised, value), weight)
            scale = scales.next(state["scales"], value["scale"], weight)
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(collections.OrderedDict(inner=means.state, scales=scale.state)),
                tff.federated_map(rescaled, (means.result, scale.result)),
                tff.federated_zip(
                    collections.OrderedDict(inner=means.measurements, tau_eff=scale.result)
                ),
            )

        return tff.templates.AggregationProcess(initialize, next_fn)


class DynMeanFactory(tff.aggregators.WeightedAggregationFactory):
    """mean_i(Delta_i) + s; see feddyn.py."""

    def __init__(self, inner: Factory, config: ResolvedAlgorithm) -> None:
        self._inner = inner
        self._config = config

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._inner.create(value_type, weight_type)
        first_settings = first_numbers(self._config)
        settings_type = first_settings.type_signature.result

        @tff.tensorflow.computation
        def zero() -> Nested:
            return [tf.zeros(t.shape, t.dtype) for t in value_type]

        @tff.tensorflow.computation(value_type, weight_type)
        def weighted(value: Nested, weight: Nested) -> Nested:
            return [weight * v for v in value]

        @tff.tensorflow.computation(value_type, value_type, settings_type)
        def grown(drift: Nested, total: Nested, settings: Nested) -> Nested:
            everyone = named(settings)["population_weight"]
            return [s + divided(t, everyone) for s, t in zip(drift, total, strict=True)]

        @tff.tensorflow.computation(value_type, value_type)
        def added(mean: Nested, drift: Nested) -> Nested:
            return [m + s for m, s in zip(mean, drift, strict=True)]

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(),
                    drift=tff.federated_eval(zero, tff.SERVER),
                    settings=tff.federated_eval(first_settings, tff.SERVER),
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            mean = inner.next(state["inner"], value, weight)
            total = tff.federated_sum(tff.federated_map(weighted, (value, weight)))
            settings = state[SETTINGS]
            drift = tff.federated_map(grown, (state["drift"], total, settings))
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(
                    collections.OrderedDict(inner=mean.state, drift=drift, settings=settings)
                ),
                tff.federated_map(added, (mean.result, drift)),
                mean.measurements,
            )

        return tff.templates.AggregationProcess(initialize, next_fn)
