"""FedDyn's aggregation around any mean: the mean update plus the running sum over all clients."""

import collections
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff


class DynMeanFactory(tff.aggregators.WeightedAggregationFactory):
    def __init__(self, inner: Any, population: int) -> None:
        self._inner = inner
        self._population = population

    def create(self, value_type: Any, weight_type: Any) -> Any:
        inner = self._inner.create(value_type, weight_type)
        population = float(self._population)

        @tff.tensorflow.computation
        def zero() -> Any:
            return [tf.zeros(t.shape, t.dtype) for t in value_type]

        @tff.tensorflow.computation(value_type, value_type)
        def grown(drift: Any, total: Any) -> Any:
            return [s + t / population for s, t in zip(drift, total, strict=True)]

        @tff.tensorflow.computation(value_type, value_type)
        def added(mean: Any, drift: Any) -> Any:
            return [m + s for m, s in zip(mean, drift, strict=True)]

        @tff.federated_computation
        def initialize() -> Any:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(), drift=tff.federated_eval(zero, tff.SERVER)
                )
            )

        @tff.federated_computation(
            initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Any, value: Any, weight: Any) -> Any:
            mean = inner.next(state["inner"], value, weight)
            drift = tff.federated_map(grown, (state["drift"], tff.federated_sum(value)))
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(collections.OrderedDict(inner=mean.state, drift=drift)),
                tff.federated_map(added, (mean.result, drift)),
                mean.measurements,
            )

        return tff.templates.AggregationProcess(initialize, next_fn)
