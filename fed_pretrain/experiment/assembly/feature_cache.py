"""With a frozen body, what its head is given is computed once a client, and kept.

Rounds then see a task whose examples are those features and a model that is the rest. They are
kept in memory by content (the frozen weights, the rows), the least recently used dropped first,
within `--cache_megabytes`.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from fed_pretrain.clients.client_reader import ClientCache
from fed_pretrain.clients.encoder import Encoder, Features
from fed_pretrain.executors.executor import Executor
from fed_pretrain.experiment.assembly.run_config import ALWAYS, NEVER
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.models import frozen_part
from fed_pretrain.starts.start import Start
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Json

BuildModel = Callable[[], tf.keras.Model]
_BATCH = 64
FLAG = "feature_cache"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What rounds read and build: the task and model themselves, or features and the rest.

    key: what the features are made from, None without a cache.
    """

    task: Task
    build_model: BuildModel
    key: str | None = None


def seen_by_rounds(
    start: Start, task: Task, executor: Executor, session: Session, wanted: str
) -> Seen:
    """The task as it is, unless nothing in front of some layer trains."""
    plain = Seen(task, start.build_model)
    if wanted == NEVER or not start.names[1] or task.definition.objective is not None:
        return plain
    if executor.reads_elsewhere:
        if wanted == ALWAYS:
            raise UserError(
                f"--{FLAG}=always: --executor={executor.name} reads clients in other processes,"
                " which would each compute the features anew"
            )
        return plain
    digest = _digest(start, task, wanted)
    return session.cached((FLAG, id(task), digest), lambda: _cut(start, task, wanted, digest))


def _cut(start: Start, task: Task, wanted: str, digest: str) -> Seen:
    quiet = wanted == ALWAYS
    found = frozen_part.cut(start.model(), quiet)
    if found is None:
        if quiet:
            raise UserError(
                f"--{FLAG}=always: no frozen part of model {task.model_name!r} gives one tensor to"
                " all that trains; see --trainable"
            )
        return Seen(task, start.build_model)
    encoder = FeatureEncoder(task.encoder, found.body)
    features = dataclasses.replace(
        task, encoder=encoder, cache=ClientCache(task.options.cache_megabytes << 20)
    )
    return Seen(features, frozen_part.BuildTail(start.build_model, quiet), digest)


class FeatureEncoder(Encoder):
    """The rows of another encoder, run through a frozen body."""

    def __init__(self, inner: Encoder, body: tf.keras.Model) -> None:
        self._inner = inner
        self._run = tf.function(
            lambda x: body(x, training=False),
            input_signature=[tf.TensorSpec([None, *inner.x_shape], tf.as_dtype(inner.x_dtype))],
            autograph=False,
        )
        # Traced now: Keras refuses it after TFF has built a model in its own graph.
        self._run.get_concrete_function()
        self._lock = threading.Lock()
        self.x_shape = tuple(body.output.shape[1:])
        self.x_dtype = str(tf.as_dtype(body.output.dtype).name)
        self.y_shape, self.y_dtype = inner.y_shape, inner.y_dtype
        self.num_classes, self.label_names = inner.num_classes, inner.label_names
        self.unscored = inner.unscored

    def model_arguments(self) -> dict[str, Json]:
        """Part of the task's structure: programs for features are others than those for rows."""
        return {"features": list(self.x_shape)}

    def encode(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._inner.encode(features)
        with self._lock:  # One body at a time: it uses every core itself.
            parts = [
                self._run(tf.constant(x[i : i + _BATCH])).numpy() for i in range(0, len(x), _BATCH)
            ]
        shape = [0, *(int(size or 0) for size in self.x_shape)]
        return np.concatenate([np.zeros(shape, self.x_dtype), *parts]), y


def _digest(start: Start, task: Task, wanted: str) -> str:
    """Of all that decides the features: structure and frozen weights; rows are the task's."""
    state = hashlib.sha256(repr((start.build_model.identity(), wanted)).encode())
    for name, value in zip(start.names[1], start.weights[1], strict=True):
        state.update(f"{name} {value.dtype.str}{value.shape}".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()
