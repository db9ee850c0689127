"""What a probe finds of each batch, added over a client's data: one TFF computation.

Every probe of the loss around some weights is such a sum at the weights and along a vector, which
an executor adds over the clients.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.clients.payload import added_over_steps, batch_at, payload_of
from fed_pretrain.models.tracing import Traced
from fed_pretrain.models.zero_start import starting_at_zero
from fed_pretrain.tasks.evaluation import assign
from fed_pretrain.tasks.task import Task
from groundwork.untyped import Nested

BuildModel = Callable[[], tf.keras.Model]
Vector = Sequence[tf.Tensor]
Sums = Mapping[str, Nested]


@dataclass(frozen=True)
class Batch:
    """A batch, the model at the weights to look at, and a vector over `variables` of it.

    `variables` may be some of the model's.
    """

    task: Task
    model: tf.keras.Model
    variables: Sequence[tf.Variable]
    vector: Vector
    x: tf.Tensor
    y: tf.Tensor

    def logits(self) -> tf.Tensor:
        """In inference mode: no dropout, frozen statistics."""
        return self.model(self.x, training=False)

    def statistics(self, logits: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The task's sums over the batch: loss_sum, count, ..."""
        return self.task.statistics(self.y, logits)


@dataclass(frozen=True)
class Finding:
    """`of` finds a structure of sums in a batch, and `zeros` is where adding them begins.

    `leaves` is what a client makes of its sums before it sends them. With `rows`, their types, what
    is found is a row an example, and they are joined in the place of being added, those of padding
    with them: XLA needs to know how many there are.
    """

    of: Callable[[Batch], Sums]
    zeros: Callable[[Vector], Sums] = lambda vector: {}
    leaves: Callable[[Sums], Sums] | None = None
    rows: Mapping[str, tf.TensorSpec] | None = None


def client_sums(
    task: Task, build_model: BuildModel, finding: Finding, positions: Sequence[int] | None = None
) -> tff.Computation:
    """`((weights, vector), client data) -> sums` over each row of the client once.

    The vector is over the trainable tensors at `positions`; None is all of them.
    """
    weights_type = tff.learning.models.weights_type_from_model(task.model_fn(build_model))
    tensors = list(weights_type.trainable)
    chosen = range(len(tensors)) if positions is None else positions
    vector_type = [tensors[position] for position in chosen]
    value_type = tff.to_type(collections.OrderedDict(weights=weights_type, vector=vector_type))
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(task.payload_spec(None)))

    @tff.tensorflow.computation(value_type, data_type)
    def sums_of(value: Nested, data: tf.data.Dataset) -> Sums:
        payload = payload_of(data)
        with starting_at_zero():
            model = build_model()

        @Traced
        def run(value: Nested, payload: Nested) -> Sums:
            assign(model, value["weights"])
            variables = [model.trainable_variables[position] for position in chosen]
            vector = list(value["vector"])

            def found_at(step: tf.Tensor) -> Sums:
                x, y = batch_at(payload, step)
                return finding.of(Batch(task, model, variables, vector, x, y))

            if finding.rows is None:
                sums = added_over_steps(found_at, finding.zeros(vector), payload)
            else:
                sums = _joined(found_at, finding.rows, tf.shape(payload["order"])[0])
            return sums if finding.leaves is None else finding.leaves(sums)

        return run(value, payload)

    return sums_of


def _joined(
    found_at: Callable[[tf.Tensor], Sums], rows: Mapping[str, tf.TensorSpec], steps: tf.Tensor
) -> Sums:
    batches = tf.map_fn(found_at, tf.range(steps), fn_output_signature=rows)
    return {name: tf.reshape(batches[name], [-1, *spec.shape[1:]]) for name, spec in rows.items()}
