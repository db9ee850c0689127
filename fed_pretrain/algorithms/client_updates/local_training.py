"""The local loop: one `while` over the steps of a client's `order`, weights updated in place.

Steps without a real row are left out before the loop starts, so that they move nothing, momentum
and weight decay included.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from fed_pretrain.algorithms.client_updates import local_optimizers
from fed_pretrain.algorithms.client_updates.local_optimizers import LocalSettings
from fed_pretrain.clients import payload as payloads
from fed_pretrain.clients.local_work import PADDING_ROW
from fed_pretrain.models import dropout
from fed_pretrain.models.lstm_loop import differentiated_once
from fed_pretrain.models.tracing import Traced
from fed_pretrain.models.zero_start import starting_at_zero
from fed_pretrain.tasks.objective import CrossEntropy, Loss, mean_loss
from groundwork.untyped import Leaf, Nested, TffModel, Weights

Tensors = list[tf.Tensor]
Numbers = Mapping[str, tf.Tensor]
_NONE: Numbers = {}
Specs = Sequence[tf.TensorSpec]
Gradients = Sequence[Leaf]
STATISTICS = ("loss_sum", "count", "correct", "scored")


class LocalTraining:
    """One client's round while it is traced; `prepare` comes first, then the update's calls."""

    def __init__(
        self,
        model_fn: Callable[[], TffModel],
        objective: Loss | None,
        settings: LocalSettings,
        anchored: bool = False,
        head: Sequence[int] = (),
        first: Sequence[int] = (),
        first_steps: int = 0,
        fixed_shapes: bool = True,
    ) -> None:
        """`head`: the positions of the trainable weights that move by the head's rate.

        `first`: of those that move alone in the `first_steps` of a round, and rest afterwards.
        `fixed_shapes`: see payload.batch_at; without, client work runs on a CPU as TensorFlow does.
        """
        self._fixed_shapes = fixed_shapes
        self._head, self._first, self._first_steps = frozenset(head), frozenset(first), first_steps
        with starting_at_zero(), differentiated_once(not fixed_shapes):
            self._build(model_fn, objective, settings, anchored)

    def _build(
        self,
        model_fn: Callable[[], TffModel],
        objective: Loss | None,
        settings: LocalSettings,
        anchored: bool,
    ) -> None:
        model = self._model = model_fn()
        self._anchor = model_fn() if anchored else None
        self._objective = objective
        self.settings = settings
        self.variables = list(model.trainable_variables)
        self._frozen = list(model.non_trainable_variables)
        self.optimizer = local_optimizers.named(settings.optimizer)(settings, self.variables)

    def prepare(
        self,
        weights: Weights,
        payload: Mapping[str, tf.Tensor],
        rates: tf.Tensor,
        slots: Sequence[tf.Tensor] | None = None,
        numbers: Numbers = _NONE,
        complements: Numbers = _NONE,
    ) -> None:
        """Loads the weights and drops the steps that hold no row.

        rates: of body and head; slots: the state the client's optimizer goes on from; numbers: the
        settings by name; complements: one minus each.
        """
        self.numbers, self.complements = numbers, complements
        self.optimizer.numbers, self.optimizer.complements = numbers, complements
        self.start: Tensors = list(weights.trainable)
        self._frozen_start: Tensors = list(weights.non_trainable)
        for variable, value in zip(self.variables, weights.trainable, strict=True):
            variable.assign(value)
        for variable, value in zip(self._frozen, weights.non_trainable, strict=True):
            variable.assign(value)
        if self._anchor is not None:
            anchors = self._anchor.trainable_variables, self._anchor.non_trainable_variables
            for variables, values in zip(anchors, weights, strict=True):
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(value)
        self.kept_slots = slots
        self.learning_rate = rates[0]
        self.rates = [
            rates[1] if position in self._head else rates[0]
            for position in range(len(self.variables))
        ]
        self.payload = collections.OrderedDict(payload)
        self.payload["order"], self.steps = _steps_with_rows(payload["order"])
        self.rows = payload["rows"]
        self.statistics = _no_statistics()

    @property
    def specs(self) -> Specs:
        return [tf.TensorSpec(v.shape, v.dtype) for v in self.variables]

    def delta(self) -> Tensors:
        """Received minus trained."""
        return [a - v for a, v in zip(self.start, self.variables, strict=True)]

    def statistics_delta(self, positions: Sequence[int]) -> Tensors:
        """Received minus moved, of the non-trainable weights at these positions."""
        return [self._frozen_start[i] - self._frozen[i] for i in positions]

    def descend(self, correct: Callable[[Tensors], Tensors] | None = None) -> None:
        """The client's optimizer over all steps; `correct` changes each (clipped) gradient."""
        self.optimizer.begin(self.kept_slots)

        def step(gradients: Gradients, index: tf.Tensor) -> None:
            gradients = self.regularised(gradients)
            if correct is not None:
                gradients = correct([tf.convert_to_tensor(g) for g in gradients])
            self.optimizer.move(gradients, self._rates_at(index))

        self.loop(step)

    def loop(self, step: Callable[[Gradients, tf.Tensor], None]) -> None:
        """Calls `step(gradients, index)`, which moves the variables, for each step of the order."""

        def body(index: tf.Tensor, sums: tuple[tf.Tensor, ...]) -> Nested:
            gradients, batch = self.gradients(self.payload, index, index)
            # All gradients before any move: no buffer is then shared, and updates are in place.
            with tf.control_dependencies([_handle(g) for g in gradients]):
                step(gradients, index)
            return index + 1, tuple(s + b for s, b in zip(sums, batch, strict=True))

        _, sums = tf.while_loop(
            lambda index, sums: index < self.steps,
            body,
            (tf.constant(0), tuple(self.statistics.values())),
            parallel_iterations=1,
        )
        self.statistics = collections.OrderedDict(zip(STATISTICS, sums, strict=True))

    def full_gradient(self, keep_statistics: bool = False) -> tuple[Tensors, tf.Tensor]:
        """The mean gradient over every row once, at the variables as they are; and its count."""
        once = collections.OrderedDict(self.payload, order=self._each_row_once())
        # A client without local work does not take part, so it owes no gradient either.
        steps = tf.where(self.steps > 0, payloads.num_steps(once), 0)
        total, sums = self._summed(once, steps, self.steps, lambda count, g: count * g)
        if keep_statistics:
            self.statistics = collections.OrderedDict(zip(STATISTICS, sums, strict=True))
        return [tf.math.divide_no_nan(t, sums[1]) for t in total], sums[1]

    def summed_gradients(self) -> Tensors:
        """The mean gradients of the order's batches, summed, at the variables as they are."""
        total, sums = self._summed(self.payload, self.steps, 0, lambda count, g: g)
        self.statistics = collections.OrderedDict(zip(STATISTICS, sums, strict=True))
        return list(total)

    def _summed(
        self,
        payload: Mapping[str, tf.Tensor],
        steps: tf.Tensor,
        first_key: tf.Tensor | int,
        weighed: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    ) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        """Sums of `weighed(count, gradient)` and of the statistics over the payload's batches."""

        def body(index: tf.Tensor, total: Nested, sums: Nested) -> Nested:
            gradients, batch = self.gradients(payload, index, first_key + index)
            total = tuple(t + weighed(batch[1], g) for t, g in zip(total, gradients, strict=True))
            return index + 1, total, tuple(s + b for s, b in zip(sums, batch, strict=True))

        _, total, sums = tf.while_loop(
            lambda index, total, sums: index < steps,
            body,
            (tf.constant(0), tuple(zeros(self.specs)), tuple(_no_statistics().values())),
            parallel_iterations=1,
        )
        return total, sums

    def _each_row_once(self) -> tf.Tensor:
        """Of a shape that depends on no value, as XLA needs it."""
        batch, places = self.payload["order"].shape[1], tf.shape(self.payload["x"])[0]
        rows = tf.range(-(-places // batch) * batch)
        return tf.reshape(tf.where(rows < self.rows, rows, PADDING_ROW), [-1, batch])

    def evaluate(self, payload: Mapping[str, tf.Tensor]) -> "collections.OrderedDict[str, Nested]":
        """Statistics of other rows at the variables as they are, without dropout."""
        objective = self._objective or CrossEntropy()

        def body(index: tf.Tensor, sums: tuple[tf.Tensor, ...]) -> Nested:
            x, y = payloads.batch_at(payload, index)
            batch = objective.statistics(y, self._model.predict_on_batch(x, training=False))
            added = [
                s + tf.cast(batch[n], tf.float32) for s, n in zip(sums, STATISTICS, strict=True)
            ]
            return index + 1, tuple(added)

        _, sums = tf.while_loop(
            lambda index, sums: index < payloads.num_steps(payload),
            body,
            (tf.constant(0), tuple(_no_statistics().values())),
            parallel_iterations=1,
        )
        return collections.OrderedDict(zip(STATISTICS, sums, strict=True))

    def regularised(self, gradients: Gradients) -> Gradients:
        """Clipped, then decayed towards zero weights."""
        gradients = self._clipped(gradients)
        if not self.settings.weight_decay or self.optimizer.decoupled_decay:
            return gradients
        decay = self.numbers["client_weight_decay"]
        pairs = zip(gradients, self.variables, strict=True)
        return [tf.convert_to_tensor(g) + decay * v for g, v in pairs]

    def anchor_gradients(self, index: tf.Tensor) -> Gradients:
        """The gradient of a step's batch at the weights received."""
        return self.gradients(self.payload, index, index, self._anchor)[0]

    def gradients(
        self,
        payload: Mapping[str, tf.Tensor],
        index: tf.Tensor,
        key_index: tf.Tensor,
        model: TffModel = None,
    ) -> tuple[Gradients, tuple[tf.Tensor, ...]]:
        """The gradient of one batch and its statistics, of one forward pass."""
        model = model or self._model
        x, y = payloads.batch_at(payload, index, self._fixed_shapes)
        key = dropout.step_key(self.payload["key"], key_index)
        statistics: Mapping[str, tf.Tensor]
        with dropout.keyed(key), tf.GradientTape() as tape:
            if self._objective is None:
                # Whatever loss the model has, it knows nothing of padding.
                x, y = payloads.batch_at(payload, index, fixed_shapes=False)
                batch = collections.OrderedDict(x=x, y=y)
                output = _traced_anew(model.forward_pass)(batch, training=True)
                logits, loss = output.predictions, output.loss
            else:
                logits = _traced_anew(model.predict_on_batch)(x, training=True)
                statistics = self._objective.statistics(y, logits)
                loss = mean_loss(statistics)
        gradients = tape.gradient(
            loss, model.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if self._objective is None:
            statistics = _of_any_loss(y, logits, loss)
        return gradients, tuple(tf.cast(statistics[name], tf.float32) for name in STATISTICS)

    def _clipped(self, gradients: Gradients) -> Gradients:
        if not self.settings.clip_norm:
            return gradients
        return tf.clip_by_global_norm(list(gradients), self.numbers["client_clip_norm"])[0]

    def _rates_at(self, index: tf.Tensor) -> Tensors:
        """The rate of each weight in a step."""
        if not self._first_steps:
            return self.rates
        at_first = tf.cast(index < self._first_steps, tf.float32)
        return [
            rate * (at_first if position in self._first else 1.0 - at_first)
            for position, rate in enumerate(self.rates)
        ]


def _of_any_loss(y: tf.Tensor, logits: tf.Tensor, loss: tf.Tensor) -> Mapping[str, tf.Tensor]:
    """Of a batch whose mean loss is known: accuracy as well where the labels are classes."""
    if y.dtype.is_integer and logits.shape.rank and y.shape.rank == logits.shape.rank:
        y = tf.squeeze(y, -1) if y.shape[-1] == 1 else y
    if y.dtype.is_integer and logits.shape.rank == y.shape.rank + 1:
        return CrossEntropy().statistics(y, logits)
    rows = tf.cast(tf.shape(y)[0], tf.float32)
    nothing = tf.zeros([], tf.float32)
    return dict(zip(STATISTICS, (rows * loss, rows, nothing, nothing), strict=True))


def zeros(specs: Specs) -> Tensors:
    return [tf.zeros(spec.shape, spec.dtype) for spec in specs]


def _steps_with_rows(order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The order with its empty steps last, and how many steps are not empty.

    A sort and not a mask: the shape depends on no value, as XLA needs it.
    """
    empty = tf.cast(tf.reduce_all(order < 0, axis=1), tf.int32)
    sorted_order = tf.gather(order, tf.argsort(empty, stable=True))
    return sorted_order, tf.reduce_sum(1 - empty)


def _traced_anew(method: Any) -> Nested:
    """TFF's models are tf.functions: a second loop would get the first one's trace and its key."""
    return Traced(method.python_function)


def _no_statistics() -> "collections.OrderedDict[str, tf.Tensor]":
    return collections.OrderedDict((name, tf.zeros([], tf.float32)) for name in STATISTICS)


def _handle(gradient: Nested) -> tf.Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
