"""How the clients' updates agree, from sums alone: no update leaves the aggregation.

Per round and (by `layers`) per layer, over the clients whose update counts: their number, the sum
and the maximum of ||Delta_i||, A = sum ||Delta_i||^2, ||B||^2 with B = sum Delta_i, ||U||^2 with
U = sum Delta_i / ||Delta_i||, and n_v, how many norms exceed EPSILON. Gradient diversity is
A / ||B||^2 and the mean pairwise cosine (||U||^2 - n_v) / (n_v (n_v - 1)); the guards are the
probes'. Sums are unweighted; Delta_i is the raw update, before any normalisation. The weighted
aggregate itself stays in the state, so that its cosine with the next one survives a restart.
"""

import collections
import functools
import operator
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_federated as tff

from groundwork.untyped import Factory, Federated, Nested, Process, TffType

EPSILON = 1e-12
SCALARS = ("valid", "sum_norm", "sum_squared_norm", "max_norm")
NAMES = (
    "clients",
    *SCALARS,
    "squared_norm_of_sum",
    "squared_norm_of_unit_sum",
    "aggregate_norm",
    "previous_aggregate_norm",
    "aggregate_dot_previous",
)

Groups = Sequence[Sequence[int]]
"""Positions of the tensors that make up the whole, and each layer."""


class AlignmentFactory(tff.aggregators.WeightedAggregationFactory):
    """Adds the sums to the measurements of any weighted aggregation of updates.

    `path` names where in a client's value its update is.
    """

    def __init__(self, inner: Factory, groups: Groups, path: Sequence[str]) -> None:
        self._inner = inner
        self._groups = groups
        self._path = path

    def create(self, value_type: TffType, weight_type: TffType) -> Process:
        inner = self._inner.create(value_type, weight_type)
        delta_type = functools.reduce(getattr, self._path, value_type)
        sums = _Sums(delta_type, weight_type, self._groups)

        @tff.tensorflow.computation
        def nothing_yet() -> Nested:
            return sums.zero_vectors()

        @tff.federated_computation
        def initialize() -> Federated:
            return tff.federated_zip(
                collections.OrderedDict(
                    inner=inner.initialize(), last=tff.federated_eval(nothing_yet, tff.SERVER)
                )
            )

        @tff.tensorflow.computation(delta_type, delta_type)
        def compare(result: Nested, last: Nested) -> Nested:
            return sums.compare(result, last)

        @tff.federated_computation(
            initialize.type_signature.result,
            tff.FederatedType(value_type, tff.CLIENTS),
            tff.FederatedType(weight_type, tff.CLIENTS),
        )
        def next_fn(state: Federated, value: Federated, weight: Federated) -> Federated:
            output = inner.next(state["inner"], value, weight)
            delta = functools.reduce(operator.getitem, self._path, value)
            alignment = tff.federated_zip(
                collections.OrderedDict(
                    clients=sums.aggregate(delta, weight),
                    consecutive=tff.federated_map(compare, (output.result, state["last"])),
                )
            )
            return tff.templates.MeasuredProcessOutput(
                tff.federated_zip(collections.OrderedDict(inner=output.state, last=output.result)),
                output.result,
                tff.federated_zip(
                    collections.OrderedDict(inner=output.measurements, alignment=alignment)
                ),
            )

        return tff.templates.AggregationProcess(initialize, next_fn)


class _Sums:
    """The aggregation of the sums; each result is a vector with an entry a group."""

    def __init__(self, delta_type: TffType, weight_type: TffType, groups: Groups) -> None:
        self._type = delta_type
        self._weight_type = weight_type
        self._groups = groups
        self._specs = (
            tff.types.type_to_tf_tensor_specs(delta_type)
            if hasattr(tff.types, "type_to_tf_tensor_specs")
            else [tf.TensorSpec(t.shape, t.dtype) for t in delta_type]
        )

    def zero_vectors(self) -> Nested:
        return [tf.zeros(s.shape, s.dtype) for s in self._specs]

    def aggregate(self, delta: Nested, weight: Nested) -> Nested:
        @tff.tensorflow.computation
        def zero() -> Nested:
            count = len(self._groups)
            return collections.OrderedDict(
                clients=tf.zeros([], tf.float64),
                scalars=collections.OrderedDict(
                    (name, tf.zeros([count], tf.float64)) for name in SCALARS
                ),
                total=self.zero_vectors(),
                unit=self._zero_units(),
            )

        value_type = tff.to_type([("delta", self._type), ("weight", self._weight_type)])

        @tff.tensorflow.computation(zero.type_signature.result, value_type)
        def accumulate(sums: Nested, value: Nested) -> Nested:
            return self._add_client(sums, list(value["delta"]), value["weight"])

        @tff.tensorflow.computation(zero.type_signature.result, zero.type_signature.result)
        def merge(a: Nested, b: Nested) -> Nested:
            merged = tf.nest.map_structure(tf.add, a, b)
            merged["scalars"]["max_norm"] = tf.maximum(
                a["scalars"]["max_norm"], b["scalars"]["max_norm"]
            )
            return merged

        @tff.tensorflow.computation(zero.type_signature.result)
        def report(sums: Nested) -> Nested:
            return self._report(sums)

        zipped = tff.federated_zip(collections.OrderedDict(delta=delta, weight=weight))
        return tff.federated_aggregate(zipped, zero(), accumulate, merge, report)

    def compare(self, result: Nested, last: Nested) -> Nested:
        new, old = list(result), list(last)
        return collections.OrderedDict(
            aggregate_norm=tf.sqrt(self._grouped([_dot(a, a) for a in new])),
            previous_aggregate_norm=tf.sqrt(self._grouped([_dot(a, a) for a in old])),
            aggregate_dot_previous=self._grouped(
                [_dot(a, b) for a, b in zip(new, old, strict=True)]
            ),
        )

    def _zero_units(self) -> Nested:
        # Unit vectors differ between the whole and a layer, so both are summed.
        return [
            [tf.zeros(self._specs[i].shape, self._specs[i].dtype) for i in group]
            for group in self._groups
        ]

    def _add_client(self, sums: Nested, delta: list[tf.Tensor], weight: tf.Tensor) -> Nested:
        counts = tf.cast(weight > 0.0, tf.float64)
        norms = tf.sqrt(self._grouped([2.0 * tf.nn.l2_loss(d) for d in delta])) * counts
        valid = tf.cast(norms > EPSILON, tf.float64)
        inverse = tf.cast(tf.math.divide_no_nan(valid, norms), tf.float32)
        counts32 = tf.cast(counts, tf.float32)
        old = sums["scalars"]
        return collections.OrderedDict(
            clients=sums["clients"] + counts,
            scalars=collections.OrderedDict(
                valid=old["valid"] + valid,
                sum_norm=old["sum_norm"] + norms,
                sum_squared_norm=old["sum_squared_norm"] + norms * norms,
                max_norm=tf.maximum(old["max_norm"], norms),
            ),
            total=[t + counts32 * d for t, d in zip(sums["total"], delta, strict=True)],
            unit=[
                [u + inverse[g] * delta[i] for u, i in zip(units, group, strict=True)]
                for g, (units, group) in enumerate(zip(sums["unit"], self._groups, strict=True))
            ],
        )

    def _report(self, sums: Nested) -> Nested:
        ones = tf.ones([len(self._groups)], tf.float64)
        return collections.OrderedDict(
            clients=sums["clients"] * ones,
            **sums["scalars"],
            squared_norm_of_sum=self._grouped([_dot(t, t) for t in sums["total"]]),
            squared_norm_of_unit_sum=tf.stack(
                [tf.add_n([_dot(u, u) for u in units]) for units in sums["unit"]]
            ),
        )

    def _grouped(self, values: list[tf.Tensor]) -> tf.Tensor:
        values = [tf.cast(v, tf.float64) for v in values]
        return tf.stack([tf.add_n([values[i] for i in group]) for group in self._groups])


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(a, tf.float64) * tf.cast(b, tf.float64))
