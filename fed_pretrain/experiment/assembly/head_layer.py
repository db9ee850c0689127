"""The layer of the classes in a start: what clients sum at it, and other values in its place."""

import collections
from collections.abc import Callable, Hashable, Iterator, Mapping

import numpy as np
import tensorflow_federated as tff

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature import sample
from fed_pretrain.executors.executor import Executor
from fed_pretrain.experiment.assembly.session import Session, structure
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.starts.closed_form import ClassSums
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.virtual_features import Head
from fed_pretrain.tasks import feature_sums
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Nested

Values = Mapping[str, np.ndarray]
_BATCH = 128
BYTES_A_NUMBER = 4


class HeadLayer:
    """`asked` is the flag that wants another head, for refusals."""

    def __init__(
        self, start: Start, task: Task, executor: Executor, session: Session, asked: str
    ) -> None:
        if not is_labelled(task):
            raise UserError(
                f"{asked}: a head in closed form needs one label an example, which task"
                f" {task.name!r} does not have"
            )
        kept = ("name of the head", structure(task, start))
        name = session.compiled(kept, lambda: of(start))
        if name is None:
            raise UserError(f"{asked}: model {task.model_name!r} has no head of its own")
        self.name = name
        self._start, self._task, self._executor = start, task, executor
        self._session, self._asked = session, asked
        whole = sample.draw(task.dataset.index(TRAIN_SPLIT), None, seed=0)
        self.clients = sample.inputs(task.reader(TRAIN_SPLIT), whole, _BATCH)

    @property
    def width(self) -> int:
        """The length of what the layer is given."""
        return feature_sums.width_of(self._start.build_model().get_layer(self.name))

    def computation(self, build: Callable[..., tff.Computation], *arguments: Hashable) -> Nested:
        """One of those of `feature_sums` and `class_mixtures`, at this layer; built once."""
        task, start = self._task, self._start
        return self._session.compiled(
            ("head layer", build, structure(task, start), self.name, *arguments),
            lambda: build(task, start.build_model, self.name, *arguments),
        )

    def total(self, computation: Nested, weights: ModelArrays) -> Nested:
        """What it gives over all training examples of all clients."""
        return self._executor.sum_clients(computation, _value(weights), self.clients)

    def each(self, computation: Nested, weights: ModelArrays) -> Iterator[Nested]:
        """What it gives of each client."""
        return self._executor.map_clients(computation, _value(weights), self.clients)

    def values(self, head: Head) -> dict[str, np.ndarray]:
        """The head as tensors by name: the kernel of a layer or of a 1x1 convolution, and a bias.

        What is not finite, or does not fit the layer, is refused.
        """
        if not (np.isfinite(head.rows).all() and np.isfinite(head.bias).all()):
            raise UserError(f"{self._asked}: what the head is given is not finite for some example")
        shapes = {
            name: value
            for names, values in zip(self._start.names, self._start.weights, strict=True)
            for name, value in zip(names, values, strict=True)
            if name.rsplit("/", 1)[0] == self.name
        }
        kernel, bias = f"{self.name}/kernel", f"{self.name}/bias"
        if shapes[kernel].size != head.rows.size:
            raise UserError(
                f"{self._asked}: the head of {self._task.model_name!r} looks at more than one place"
                " at once"
            )
        if head.bias.any() and bias not in shapes:
            raise UserError(
                f"{self._asked}: the head of {self._task.model_name!r} has no bias, which such a"
                " head needs"
            )
        made = {name: np.zeros_like(value) for name, value in shapes.items()}
        made[kernel] = head.rows.T.reshape(shapes[kernel].shape).astype(shapes[kernel].dtype)
        if bias in shapes:
            made[bias] = head.bias.astype(shapes[bias].dtype)
        return made

    def exchanged(self, weights: ModelArrays, values: Values) -> ModelArrays:
        """The weights with those named in `values` in the place of their own."""
        parts = (weights.trainable, weights.non_trainable)
        trainable, frozen = (
            [values.get(name, value) for name, value in zip(names, tensors, strict=True)]
            for names, tensors in zip(self._start.names, parts, strict=True)
        )
        return ModelArrays(trainable, frozen)


def is_labelled(task: Task) -> bool:
    """Whether an example has one class."""
    return task.encoder.y_shape == () and task.definition.objective is None


def of(start: Start) -> str | None:
    """The layer of the classes, if it has its own kernel."""
    head = start.build_model.head_of(start.build_model())
    return head if f"{head}/kernel" in start.names[0] + start.names[1] else None


def class_sums(found: Nested) -> ClassSums:
    """What a client, or all of them, sent."""
    parts = {name: np.asarray(value, np.float64) for name, value in dict(found).items()}
    return ClassSums(parts["features"], parts["counts"], parts.get("second_moment"))


def _value(weights: ModelArrays) -> Nested:
    return collections.OrderedDict(weights=weights, vector=[])
