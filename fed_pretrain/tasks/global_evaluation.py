"""A split, or some of its clients, as one pooled set: batched, exact sums."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data_prep import randomness
from fed_pretrain.tasks.encoder import PADDING_LABEL
from fed_pretrain.tasks.local_work import LocalWork
from fed_pretrain.tasks.task import Task

Batch = tuple[np.ndarray, np.ndarray]
HELD_BYTES = 256 << 20
"""A split no larger than this is encoded once and kept."""


class GlobalEvaluation:
    """Compiled once a run; called with weights as often as wanted.

    max_examples: a fixed draw of the split's clients, the last of them cut, keyed by `seed`.
    """

    def __init__(
        self,
        task: Task,
        build_model: Callable[[], tf.keras.Model] | None = None,
        split: str = "test",
        batch_size: int | None = None,
        max_examples: int | None = None,
        seed: int = 0,
        device: str | None = None,
    ) -> None:
        self._task = task
        self._reader = task.reader(split)
        self._batch_size = batch_size or task.defaults.evaluation_batch_size
        self._clients = _drawn(self._reader.dataset.index(split), max_examples, seed)
        self._held: list[Batch] | None = None
        self._device = device
        with tf.device(device):
            self._model = (build_model or task.build_model)()
            # Traced at once: Keras gives its layer classes another base whenever a computation of
            # TFF builds a model in its own graph, and a trace after that is refused.
            self._sums = tf.function(self._forward).get_concrete_function(*self._batch_spec())

    def __call__(
        self,
        weights: Any,
        client_ids: Sequence[str] | None = None,
        client_examples: int | None = None,
    ) -> dict[str, float]:
        """Loss, accuracy, ... of the split at these weights, or of the named clients' pooled rows.

        `weights` has `trainable` and `non_trainable` in the order of the model's variables.
        `client_examples` bounds each named client; by default as the task bounds its training.
        """
        assign(self._model, weights)
        limit = client_examples or self._task.defaults.max_examples
        rows = self._split() if client_ids is None else self._pooled(client_ids, limit)
        with tf.device(self._device):
            sums = [self._sums(tf.constant(x), tf.constant(y)) for x, y in rows]
        names = self._task.objective.names
        return self._task.summarise({name: sum(float(one[name]) for one in sums) for name in names})

    def _batch_spec(self) -> list[tf.TensorSpec]:
        spec = self._task.payload_spec(self._batch_size)
        return [
            tf.TensorSpec([self._batch_size, *spec[name].shape[1:]], spec[name].dtype)
            for name in ("x", "y")
        ]

    def _forward(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._task.statistics(y, self._model(x, training=False))

    def _split(self) -> Iterator[Batch]:
        if self._held is not None:
            yield from self._held
            return
        held: list[Batch] | None = []
        size = 0
        for x, y in batches(self._rows(), self._batch_size):
            size += x.nbytes + y.nbytes
            if held is not None:
                held.append((x, y))
            if size > HELD_BYTES:
                held = None
            yield x, y
        self._held = held

    def _rows(self) -> Iterator[Batch]:
        for client_id, limit in self._clients:
            yield self._reader.fresh_rows(client_id, limit)

    def _pooled(self, client_ids: Sequence[str], limit: int | None) -> Iterator[Batch]:
        rows = (self._reader.rows(client_id, limit) for client_id in client_ids)
        return batches(rows, self._batch_size)


def _drawn(index: Any, max_examples: int | None, seed: int) -> list[tuple[str, int | None]]:
    """Each client with the number of its examples that count (None: all)."""
    if max_examples is None or max_examples >= int(np.sum(index.num_examples)):
        return [(client_id, None) for client_id in index.client_ids]
    drawn: list[tuple[str, int | None]] = []
    left = max_examples
    order = randomness.generator(seed, "evaluation").permutation(len(index.client_ids))
    for position in order:
        if left <= 0:
            break
        examples = int(index.num_examples[position])
        drawn.append((index.client_ids[position], None if examples <= left else left))
        left -= examples
    return drawn


def batches(rows: Iterator[Batch], batch_size: int) -> Iterator[Batch]:
    """All rows in batches of one size; the last is filled with labels that do not count."""
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    waiting = 0
    for x, y in rows:
        xs.append(x)
        ys.append(y)
        waiting += len(x)
        if waiting >= batch_size:
            pooled_x, pooled_y = np.concatenate(xs), np.concatenate(ys)
            whole = waiting - waiting % batch_size
            for start in range(0, whole, batch_size):
                yield pooled_x[start : start + batch_size], pooled_y[start : start + batch_size]
            xs, ys, waiting = [pooled_x[whole:]], [pooled_y[whole:]], waiting - whole
    if waiting:
        yield (
            _filled(np.concatenate(xs), 0, batch_size),
            _filled(np.concatenate(ys), PADDING_LABEL, batch_size),
        )


def _filled(array: np.ndarray, value: int, length: int) -> np.ndarray:
    filled = np.full((length, *array.shape[1:]), value, array.dtype)
    filled[: len(array)] = array
    return filled


def assign(model: tf.keras.Model, weights: Any) -> None:
    """Sets the model's variables; refuses weights of another structure."""
    pairs = [
        *zip(model.trainable_variables, weights.trainable, strict=True),
        *zip(model.non_trainable_variables, weights.non_trainable, strict=True),
    ]
    for variable, value in pairs:
        variable.assign(value)


def evaluation_work(
    task: Task, batch_size: int | None = None, max_examples: int | None = None
) -> LocalWork:
    """The work of an evaluation on a client: each row once, as stored."""
    return LocalWork(
        batch_size or task.defaults.evaluation_batch_size,
        max_examples=max_examples or task.defaults.max_examples,
        shuffle=False,
    )
