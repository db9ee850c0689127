"""Non-trainable weights that a round averages: the moving statistics of kept BatchNorm layers.

TFF's own processes neither send nor change them. Here they travel beside the update, are averaged
with the clients' weights, and the finalizer moves the model's by the mean: no optimizer, no rate.
"""

import collections
from collections.abc import Sequence

import tensorflow_federated as tff

from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class StatisticsFactory(tff.aggregators.WeightedAggregationFactory):
    """Takes {update, statistics}: the inner aggregator's result beside the weighted mean."""

    def __init__(self, inner: Factory) -> None:
        self._inner = inner

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._inner.create(value_type.update, weight_type)
        mean = tff.aggregators.MeanFactory(no_nan_division=True).create(
            value_type.statistics, weight_type
        )

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_zip(
                collections.OrderedDict(inner=inner.initialize(), mean=mean.initialize())
            )

        @tff.federated_computation(
            initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            update = inner.next(state["inner"], value["update"], weight)
            statistics = mean.next(state["mean"], value["statistics"], weight)
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(
                    collections.OrderedDict(inner=update.state, mean=statistics.state)
                ),
                tff.federated_zip(
                    collections.OrderedDict(update=update.result, statistics=statistics.result)
                ),
                update.measurements,
            )

        return tff.templates.AggregationProcess(initialize, next_fn)


def build_finalizer(inner: Process, weights_type: TffType, averaged: Sequence[int]) -> Process:
    """`inner` for what trains; the averaged weights move by the mean of their changes."""
    statistics_type = tff.to_type([weights_type.non_trainable[i] for i in averaged])
    update_type = tff.to_type(
        collections.OrderedDict(update=weights_type.trainable, statistics=statistics_type)
    )

    @tff.tensorflow.computation(weights_type, statistics_type)
    def moved(weights: Nested, change: Nested) -> Nested:
        fixed = list(weights.non_trainable)
        for position, delta in zip(averaged, change, strict=True):
            fixed[position] = fixed[position] - delta
        return tff.learning.models.ModelWeights(list(weights.trainable), fixed)

    @tff.federated_computation(
        inner.initialize.type_signature.result,
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(update_type, tff.SERVER),
    )
    def next_fn(state: Federated, weights: Federated, update: Federated) -> Federated:
        output = inner.next(state, weights, update["update"])
        return tff.templates.MeasuredProcessOutput(
            output.state,
            tff.federated_map(moved, (output.result, update["statistics"])),
            output.measurements,
        )

    return tff.learning.templates.FinalizerProcess(inner.initialize, next_fn)
