"""A client update as the client work of a TFF learning process."""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import distributor, schedule
from fed_pretrain.algorithms.algorithm_config import KEPT, SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import local_optimizers
from fed_pretrain.algorithms.client_updates.client_update import (
    STATE,
    ClientUpdate,
    Outcome,
    weight_of,
)
from fed_pretrain.algorithms.client_updates.local_optimizers import LocalSettings
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining, Specs
from fed_pretrain.algorithms.kept_state import KeptState
from fed_pretrain.algorithms.values import finite, in_state, named, single
from fed_pretrain.clients.payload import payload_of
from fed_pretrain.models.tracing import Traced
from fed_pretrain.tasks.objective import Loss
from groundwork.untyped import (
    Computation,
    Federated,
    Nested,
    Process,
    Spec,
    State,
    TffModel,
    TffType,
    Weights,
)

SUMS = (
    "loss_sum",
    "count",
    "correct",
    "scored",
    "examples",
    "steps",
    "clients",
    "nonfinite",
)


@dataclasses.dataclass(frozen=True)
class ClientProcess:
    """`process` is the client work of a TFF learning process.

    one_client builds `((state, weights), data) -> (update, weight)`: the same work by itself, for
    those who look at single updates. state is the process' own, weights are what the distributor
    sends, and the update is the received minus the trained weights.
    """

    process: Process
    kept: KeptState
    one_client: Callable[[], Computation]


def build(
    client_update: ClientUpdate,
    config: ResolvedAlgorithm,
    model_fn: Callable[[], TffModel],
    payload_spec: Spec,
    objective: Loss | None,
    weights_type: TffType,
    averaged: Sequence[int] = (),
    head: Sequence[int] = (),
    personal: Sequence[int] = (),
    fixed_shapes: bool = True,
) -> ClientProcess:
    """Server state: the round's number and the client update's part; both kept by TFF.

    `weights_type` is what the distributor sends; `head` and `personal` are positions of trainable
    weights; `fixed_shapes`: see payload.batch_at.
    """
    if config.late_rounds and "lag" not in payload_spec:
        raise ValueError("with late_rounds the payload needs a lag: system.late_payload_spec")
    with tf.Graph().as_default():
        model = model_fn()
        specs = [tf.TensorSpec(v.shape, v.dtype) for v in model.trainable_variables]
        slots = _slots(config, model.trainable_variables)
    kept = KeptState(client_update.client_state_spec(specs), specs, tuple(personal), slots)
    payload_type = tff.SequenceType(tff.types.tensorflow_to_type(payload_spec))
    work = _ClientComputation(
        client_update, config, model_fn, objective, specs, averaged, head, kept, fixed_shapes
    )

    @tff.tensorflow.computation
    def initial() -> Nested:
        return first_state(config, client_update, specs)

    state_type = initial.type_signature.result

    def told_by(state: State) -> Nested:
        return _told(config, state)

    instructions = tff.tensorflow.computation(told_by, state_type)
    client_computation = work.computation(
        instructions.type_signature.result, weights_type, payload_type
    )
    sums_type = client_computation.type_signature.result.sums

    @tff.tensorflow.computation(state_type, sums_type)
    def advance(state: Nested, sums: Nested) -> Nested:
        return collections.OrderedDict(
            [
                ("round", state["round"] + 1),
                (STATE, client_update.advance(state[STATE], sums, named(state[SETTINGS]))),
                (SETTINGS, state[SETTINGS]),
            ]
        )

    process = _process(initial, instructions, client_computation, advance, kept.spec is not None)
    data_type = client_computation.type_signature.parameter[2]
    return ClientProcess(
        process, kept, lambda: work.alone(told_by, state_type, weights_type, data_type)
    )


def _settings(config: ResolvedAlgorithm) -> LocalSettings:
    return LocalSettings(
        config.client_optimizer,
        bool(config.client_momentum),
        bool(config.client_weight_decay),
        bool(config.client_clip_norm),
    )


def _slots(config: ResolvedAlgorithm, variables: Sequence[tf.Variable]) -> Specs:
    """Those of the clients' optimizer, if they are kept."""
    if config.client_optimizer_state != KEPT:
        return ()
    optimizer = local_optimizers.named(config.client_optimizer)(_settings(config), variables)
    return tuple(tf.TensorSpec(slot.shape, slot.dtype) for slot in optimizer.slots)


def first_state(config: ResolvedAlgorithm, client_update: ClientUpdate, specs: Spec) -> State:
    """The server's state before the first round."""
    return collections.OrderedDict(
        [
            ("round", tf.constant(0)),
            (STATE, client_update.server_state(specs)),
            (SETTINGS, in_state(config)),
        ]
    )


def _told(config: ResolvedAlgorithm, state: State) -> Nested:
    """The state as clients get it: rates of this and earlier rounds, numbers, and STATE.

    A row of rates is that of the body and that of the head; complements are one minus each number.
    """
    settings = state[SETTINGS]
    numbers = named(settings)

    @tf.autograph.experimental.do_not_convert
    def rates_at(lag: tf.Tensor) -> tf.Tensor:
        return schedule.client_rates(config, tf.maximum(state["round"] - lag, 0), numbers)

    rates = tf.map_fn(rates_at, tf.range(config.late_rounds + 1), fn_output_signature=tf.float32)
    return collections.OrderedDict(
        rates=rates, numbers=single(settings), complements=single(1.0 - settings), own=state[STATE]
    )


def _process(
    initial: Computation,
    instructions: Computation,
    client_computation: Computation,
    advance: Computation,
    keeps_state: bool,
) -> Process:
    state_type = initial.type_signature.result
    _, weights_type, data_type = client_computation.type_signature.parameter

    @tff.tensorflow.computation(state_type)
    def following_round(state: Nested) -> Nested:
        return state["round"] + 1

    @tff.federated_computation
    def initialize() -> Federated:
        return tff.federated_eval(initial, tff.SERVER)

    @tff.federated_computation(
        initialize.type_signature.result,
        tff.FederatedType(weights_type, tff.CLIENTS),
        tff.FederatedType(data_type, tff.CLIENTS),
    )
    def next_fn(state: Federated, weights: Federated, data: Federated) -> Federated:
        told = tff.federated_broadcast(tff.federated_map(instructions, state))
        result = tff.federated_map(client_computation, (told, weights, data))
        sums = tff.federated_sum(result["sums"])
        measurements = collections.OrderedDict(
            train=sums["metrics"], round=tff.federated_map(following_round, state)
        )
        if keeps_state:
            measurements["client_states"] = _tap(result["client_state"])
        return tff.templates.MeasuredProcessOutput(
            tff.federated_map(advance, (state, sums)),
            tff.federated_zip(
                tff.learning.templates.ClientResult(result["update"], result["update_weight"])
            ),
            tff.federated_zip(measurements),
        )

    return tff.learning.templates.ClientWorkProcess(initialize, next_fn)


def _tap(client_state: State) -> Nested:
    """An aggregate that ignores its input: the new state is in the client's own result.

    The map-reduce form has no client-placed results; an executor finds `client_state` in what
    `work` returns. What the server learns is a zero.
    """
    value = tff.federated_zip(collections.OrderedDict(client_state=client_state))
    value_type = value.type_signature.member

    @tff.tensorflow.computation
    def zero() -> Nested:
        return tf.constant(0)

    @tff.tensorflow.computation(tff.TensorType(tf.int32.as_numpy_dtype), value_type)
    def accumulate(nothing: Nested, unread: Nested) -> Nested:
        return nothing

    @tff.tensorflow.computation(
        tff.TensorType(tf.int32.as_numpy_dtype), tff.TensorType(tf.int32.as_numpy_dtype)
    )
    def merge(nothing: Nested, neither: Nested) -> Nested:
        return nothing

    @tff.tensorflow.computation(tff.TensorType(tf.int32.as_numpy_dtype))
    def report(nothing: Nested) -> Nested:
        return nothing

    return tff.federated_aggregate(value, zero(), accumulate, merge, report)


class _ClientComputation:
    """(instructions, weights, data) -> update, weight, sums and new client state, in TensorFlow."""

    def __init__(
        self,
        client_update: ClientUpdate,
        config: ResolvedAlgorithm,
        model_fn: Callable[[], TffModel],
        objective: Loss | None,
        specs: Spec,
        averaged: Sequence[int],
        head: Sequence[int],
        kept: KeptState,
        fixed_shapes: bool,
    ) -> None:
        self._fixed_shapes = fixed_shapes
        self._client_update = client_update
        self._config = config
        self._model_fn = model_fn
        self._objective = objective
        self._specs = specs
        self._averaged = averaged
        self._head = head
        self._kept = kept

    def computation(
        self, told_type: TffType, weights_type: TffType, payload_type: TffType
    ) -> Computation:
        data_type: TffType = payload_type
        if self._kept.spec is not None:
            state_type = tff.SequenceType(tff.types.tensorflow_to_type(self._kept.spec))
            data_type = tff.to_type(collections.OrderedDict(data=payload_type, state=state_type))

        @tff.tensorflow.computation(told_type, weights_type, data_type)
        def work(told: Nested, weights: Nested, data: Nested) -> Nested:
            return self._traced(told, weights, data)

        return work

    def alone(
        self,
        told_by: Callable[[Nested], Nested],
        state_type: TffType,
        weights_type: TffType,
        data_type: TffType,
    ) -> Computation:
        """See ClientProcess.one_client."""
        value_type = tff.to_type(collections.OrderedDict(state=state_type, weights=weights_type))

        @tff.tensorflow.computation(value_type, data_type)
        def one_client(value: Nested, data: Nested) -> Nested:
            result = self._traced(told_by(value["state"]), value["weights"], data)
            update = result["update"]
            if self._averaged:
                update = update["update"]
            if self._config.compression == "quantize":
                update = update["value"]
            if self._client_update.scaled:
                update = update["delta"]
            return collections.OrderedDict(update=update, weight=result["update_weight"])

        return one_client

    def _traced(self, told: State, weights: Weights, data: Nested) -> Nested:
        # The single elements are taken here, outside any tf.function, so that an executor can
        # feed their tensors in place of a dataset.
        if self._kept.spec is not None:
            payload, client = payload_of(data["data"]), payload_of(data["state"])
        else:
            payload, client = payload_of(data), collections.OrderedDict()
        training = LocalTraining(
            self._model_fn,
            self._objective,
            _settings(self._config),
            self._client_update.needs_anchor,
            self._head,
            self._kept.personal,
            self._config.personal_steps,
            self._fixed_shapes,
        )

        @Traced
        def train(told: Nested, weights: Nested, payload: Nested, client: Nested) -> Nested:
            lag = payload["lag"] if self._config.late_rounds else tf.constant(0)
            if self._config.late_rounds:
                weights = distributor.of_round(weights, lag)
            weights = self._kept.received(weights, client)
            numbers, complements = named(told["numbers"]), named(told["complements"])
            slots = self._kept.slots_of(client)
            training.prepare(weights, payload, told["rates"][lag], slots, numbers, complements)
            outcome = self._client_update.work(training, told["own"], self._kept.own_of(client))
            outcome = self._kept.left(training, outcome)
            if self._config.late_rounds:
                power = -numbers["late_weight_power"]
                outcome.weight_factor *= tf.pow(1.0 + tf.cast(lag, tf.float32), power)
            return self._checked(training, outcome, client)

        return train(told, weights, payload, client)

    def _checked(self, training: LocalTraining, outcome: Outcome, client: State) -> Nested:
        """The outcome, or nothing at all if no step was taken or a part of it is not finite."""
        statistics = training.statistics_delta(self._averaged)
        beside = [outcome.sums, outcome.scale, outcome.weight_factor, outcome.client_state]
        sound = finite(_present([outcome.delta, statistics, beside]))
        worked = training.steps > 0
        counts = tf.logical_and(sound, worked)
        parts = collections.OrderedDict(
            delta=outcome.delta,
            sums=outcome.sums,
            scale=outcome.scale,
            client=outcome.client_state,
            statistics=statistics,
        )
        before = collections.OrderedDict(
            delta=[tf.zeros(s.shape, s.dtype) for s in self._specs],
            sums=tf.nest.map_structure(tf.zeros_like, outcome.sums),
            scale=None if outcome.scale is None else tf.zeros_like(outcome.scale),
            client=None if outcome.client_state is None else client,
            statistics=[tf.zeros_like(s) for s in statistics],
        )
        flat = tf.cond(
            counts, lambda: _present(parts), lambda: [tf.identity(t) for t in _present(before)]
        )
        chosen = _repack(parts, flat)
        weight = weight_of(training, self._config.weighting == "uniform")
        weight = tf.where(counts, weight * outcome.weight_factor, 0.0)
        update = chosen["delta"]
        if self._client_update.scaled:
            update = collections.OrderedDict(delta=chosen["delta"], scale=chosen["scale"])
        if self._config.compression == "quantize":
            update = collections.OrderedDict(value=update, key=training.payload["key"])
        if self._averaged:
            update = collections.OrderedDict(update=update, statistics=chosen["statistics"])
        result = collections.OrderedDict(
            update=update,
            update_weight=weight,
            sums=collections.OrderedDict(
                metrics=_metrics(training, counts, tf.logical_and(worked, tf.logical_not(sound))),
                **chosen["sums"],
            ),
        )
        if self._kept.spec is not None:
            result["client_state"] = chosen["client"]
        return result


def _metrics(training: LocalTraining, counts: tf.Tensor, nonfinite: tf.Tensor) -> Nested:
    sums = collections.OrderedDict(training.statistics)
    sums["examples"], sums["steps"] = training.rows, training.steps
    sums["clients"] = tf.constant(1)
    metrics = collections.OrderedDict(
        (name, tf.where(counts, tf.cast(value, tf.float64), 0.0)) for name, value in sums.items()
    )
    metrics["nonfinite"] = tf.cast(nonfinite, tf.float64)
    return metrics


def _present(parts: Nested) -> list[tf.Tensor]:
    return [leaf for leaf in tf.nest.flatten(parts) if leaf is not None]


def _repack(parts: Nested, flat: Nested) -> Nested:
    left = iter(flat)
    return tf.nest.map_structure(lambda leaf: None if leaf is None else next(left), parts)
