"""What the means of low-rank factors leave out of the mean of their products (FedEx-LoRA).

arXiv 2410.09432: the server adds mean(A_i B_i) - mean(A_i) mean(B_i) to the kernel, so that the
model is the mean of the clients' models. Both are the same of A_i and B_i as of what the clients
took off them, a_i and b_i: mean(a_i b_i) - mean(a_i) mean(b_i). Clients send no more than a and b;
the products are made where the server adds up.
"""

import collections
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.models.adapters import Correction
from groundwork.untyped import Factory, Federated, Nested, Process, TffType


class CorrectionFactory(tff.aggregators.WeightedAggregationFactory):
    """Takes updates, as `inner` does; gives {update, statistics}, the latter to take off kernels.

    The mean of `inner` must be the weighted mean.
    """

    def __init__(self, inner: Factory, corrections: Sequence[Correction]) -> None:
        self._inner = inner
        self._corrections = corrections

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        corrections = self._corrections
        inner = self._inner.create(value_type, weight_type)

        def products(update: Nested) -> list[tf.Tensor]:
            return [
                one.scale * tf.tensordot(update[one.a], update[one.b], 1) for one in corrections
            ]

        @tff.tensorflow.computation
        def zero() -> Nested:
            of_zeros = [tf.zeros(part.shape, part.dtype) for part in value_type]
            return collections.OrderedDict(
                products=[tf.zeros_like(p) for p in products(of_zeros)], weight=tf.constant(0.0)
            )

        sums_type = zero.type_signature.result

        @tff.tensorflow.computation(
            sums_type, tff.to_type(collections.OrderedDict(update=value_type, weight=weight_type))
        )
        def accumulate(sums: Nested, sent: Nested) -> Nested:
            weight = tf.cast(sent["weight"], tf.float32)
            added = zip(sums["products"], products(sent["update"]), strict=True)
            return collections.OrderedDict(
                products=[total + weight * one for total, one in added],
                weight=sums["weight"] + weight,
            )

        @tff.tensorflow.computation(sums_type, sums_type)
        def merge(one: Nested, other: Nested) -> Nested:
            return tf.nest.map_structure(tf.add, one, other)

        @tff.tensorflow.computation(sums_type)
        def report(sums: Nested) -> Nested:
            return [tf.math.divide_no_nan(p, sums["weight"]) for p in sums["products"]]

        @tff.tensorflow.computation(report.type_signature.result, value_type)
        def left_out(mean_of_products: Nested, mean: Nested) -> Nested:
            pairs = zip(mean_of_products, products(mean), strict=True)
            return [of_means - of_clients for of_clients, of_means in pairs]

        @tff.federated_computation(
            inner.initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            output = inner.next(state, value, weight)
            sent = tff.federated_zip(collections.OrderedDict(update=value, weight=weight))
            mean = tff.federated_aggregate(sent, zero(), accumulate, merge, report)
            statistics = tff.federated_map(left_out, (mean, output.result))
            return tff.templates.MeasuredProcessOutput(
                output.state,
                tff.federated_zip(
                    collections.OrderedDict(update=output.result, statistics=statistics)
                ),
                output.measurements,
            )

        return tff.templates.AggregationProcess(inner.initialize, next_fn)
