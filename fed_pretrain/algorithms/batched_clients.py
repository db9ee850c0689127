"""Our processes over ordinary clients of TFF's, and TFF's processes over our clients.

A client of ours brings one payload a round (clients/payload.py); one of TFF's brings a dataset of
batches. Each is turned into the other inside the computation, so that nothing else has to know.
"""

import collections
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.clients.local_work import PADDING_ROW
from fed_pretrain.clients.payload import payload_of, spec_of
from groundwork.errors import UserError
from groundwork.untyped import Computation, Federated, Nested, Process, Spec, TffModel, TffType

# No batch of one client's rows is as large.
_ALL = 1 << 40
_HASHES = 2**31 - 1
_ALGORITHM = "philox"


def process_over_batches(
    config: ResolvedAlgorithm, model_fn: Callable[[], TffModel], seed: int
) -> Process:
    """The algorithm as a `tff.learning.templates.LearningProcess` over batched `tf.data` clients.

    The model's own loss is minimised. A client's random key follows from the seed, the round and
    its data, since TFF does not say who a client is.
    """
    if known_updates.named(config.client_update).of(config).keeps_state:
        raise _refusal(config, "keeps a state for each client")
    if config.late_rounds or config.private:
        raise _refusal(config, "needs an account of the whole run with these settings")
    with tf.Graph().as_default():
        elements = model_fn().input_spec
    x, y = _pair(elements)
    algorithm = compose.build(config, model_fn, spec_of(x, y, None))
    if algorithm.client_state_spec is not None:
        raise _refusal(config, "keeps a state for each client with these settings")
    if algorithm.first_pass is not None:
        raise _refusal(config, "asks the clients twice a round")
    ours = algorithm.process
    state_type = ours.initialize.type_signature.result.member
    to_payload = _to_payload(elements, seed)

    @tff.tensorflow.computation(state_type)
    def round_of(state: Nested) -> Nested:
        return state.client_work["round"]

    @tff.federated_computation(
        ours.initialize.type_signature.result,
        tff.FederatedType(tff.SequenceType(_type_of(elements)), tff.CLIENTS),
    )
    def next_round(state: Federated, data: Federated) -> Federated:
        number = tff.federated_broadcast(tff.federated_map(round_of, state))
        return ours.next(state, tff.federated_map(to_payload, (number, data)))

    return _with_next(ours, next_round)


def process_over_payloads(theirs: Process, payload_spec: Spec) -> Process:
    """A LearningProcess of TFF's over clients that bring our payloads."""
    _, clients = theirs.next.type_signature.parameter
    if not isinstance(getattr(clients, "member", None), tff.SequenceType):
        raise UserError(f"--process: its clients bring {clients}; a sequence of batches is wanted")
    to_batches = _to_batches(clients.member.element, payload_spec)
    payloads = tff.SequenceType(tff.types.tensorflow_to_type(payload_spec))

    @tff.federated_computation(
        theirs.initialize.type_signature.result, tff.FederatedType(payloads, tff.CLIENTS)
    )
    def next_round(state: Federated, data: Federated) -> Federated:
        return theirs.next(state, tff.federated_map(to_batches, data))

    return _with_next(theirs, next_round)


def _refusal(config: ResolvedAlgorithm, why: str) -> UserError:
    return UserError(
        f"--algorithm: client update {config.client_update!r} {why}, which TFF's programs have no"
        " place for: train by it with fed_pretrain.train"
    )


def _with_next(process: Process, next_round: Computation) -> Process:
    return tff.learning.templates.LearningProcess(
        process.initialize, next_round, process.get_model_weights, process.set_model_weights
    )


def _to_payload(elements: Nested, seed: int) -> Computation:
    @tff.tensorflow.computation(tff.TensorType(np.int32), tff.SequenceType(_type_of(elements)))
    def to_payload(round_number: tf.Tensor, data: tf.data.Dataset) -> tf.data.Dataset:
        specs = [tf.TensorSpec(one.shape[1:], one.dtype) for one in _pair(elements)]
        pairs = data.map(lambda *batch: _pair(batch if len(batch) > 1 else batch[0]))
        sizes = pairs.map(lambda x, y: tf.shape(y)[0])
        x, y = _joined(pairs.unbatch(), tuple(specs))
        order = _order(_joined(sizes, tf.TensorSpec([], tf.int32)))
        content = tf.strings.to_hash_bucket_fast(
            tf.strings.join([tf.io.serialize_tensor(x), tf.io.serialize_tensor(y)]), _HASHES
        )
        key = tf.random.experimental.stateless_fold_in(
            tf.stack([tf.constant(seed, tf.int32), round_number]),
            tf.cast(content, tf.int32),
            alg=_ALGORITHM,
        )
        payload = collections.OrderedDict(x=x, y=y, order=order, key=key, rows=tf.shape(y)[0])
        return tf.data.Dataset.from_tensors(payload)

    return to_payload


def _joined(data: tf.data.Dataset, spec: Nested) -> Nested:
    """Everything in one batch, which may hold nothing."""
    nothing = tf.nest.map_structure(lambda one: tf.zeros([0, *one.shape], one.dtype), spec)
    last = tf.data.Dataset.from_tensors(nothing)
    return data.batch(_ALL).concatenate(last).take(1).get_single_element()


def _order(sizes: tf.Tensor) -> tf.Tensor:
    """The rows of each batch as they came, the shorter ones filled up."""
    places = tf.range(tf.reduce_max(tf.concat([[0], sizes], 0)))
    rows = tf.cumsum(sizes, exclusive=True)[:, None] + places[None, :]
    return tf.where(places[None, :] < sizes[:, None], rows, PADDING_ROW)


def _to_batches(element: TffType, payload_spec: Spec) -> Computation:
    structure = specs_of(element)

    @tff.tensorflow.computation(tff.SequenceType(tff.types.tensorflow_to_type(payload_spec)))
    def to_batches(data: tf.data.Dataset) -> tf.data.Dataset:
        payload = payload_of(data)
        wanted = _pair(structure)

        def batch(order: tf.Tensor) -> Nested:
            rows = tf.boolean_mask(order, order >= 0)
            found = [
                _as(tf.gather(payload[name], rows), spec)
                for name, spec in zip(("x", "y"), wanted, strict=True)
            ]
            return tf.nest.pack_sequence_as(structure, found)

        steps = tf.data.Dataset.from_tensor_slices(payload["order"])
        return steps.filter(lambda order: tf.reduce_any(order >= 0)).map(batch)

    return to_batches


def specs_of(element: TffType) -> Nested:
    """A batch's tensors by name where they have names, otherwise in order."""
    specs = [tf.TensorSpec(one.shape, one.dtype) for one in element]
    named = any(not name.startswith("_") for name in dir(element))
    if not named:
        return tuple(specs)
    return collections.OrderedDict(zip(element._asdict(), specs, strict=True))


def _as(value: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """The same rows in the type and shape that the process wants them in."""
    shape = [-1 if size is None else size for size in spec.shape]
    return tf.ensure_shape(tf.reshape(tf.cast(value, spec.dtype), shape), spec.shape)


def _pair(batch: Nested) -> tuple[Nested, Nested]:
    """x and y of a batch, which may have names."""
    if isinstance(batch, collections.abc.Mapping):
        names = list(batch)
        first, second = ("x", "y") if {"x", "y"} <= set(names) else names[:2]
        return batch[first], batch[second]
    return batch[0], batch[1]


def _type_of(elements: Nested) -> TffType:
    return tff.types.tensorflow_to_type(elements)
