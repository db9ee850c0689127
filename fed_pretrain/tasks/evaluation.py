"""A split, or some of its clients, as one pooled set: batched, exact sums."""

import collections
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.clients.client_reader import Index, Payload
from fed_pretrain.clients.encoder import PADDING_LABEL, padding_of
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import added_over_steps, batch_at, payload_of
from fed_pretrain.models.tracing import Traced
from fed_pretrain.models.zero_start import starting_at_zero
from fed_pretrain.tasks.task import Task
from groundwork import randomness
from groundwork.untyped import Json, Nested, Spec, Weights

Batch = tuple[np.ndarray, np.ndarray]
HELD_BYTES = 256 << 20
"""A split no larger than this is encoded once and kept."""


class Forward:
    """A task's model and the statistics of one batch, compiled; for every task of its structure."""

    def __init__(
        self,
        task: Task,
        build_model: Callable[[], tf.keras.Model] | None = None,
        batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        self._task = task
        self.batch_size = batch_size or task.defaults.evaluation_batch_size
        self._device = device
        with tf.device(device):
            self._model = (build_model or task.build_model)()
            # Traced at once: Keras gives its layer classes another base whenever a computation of
            # TFF builds a model in its own graph, and a trace after that is refused.
            self._sums = Traced(self._forward).get_concrete_function(*self._batch_spec())

    def sums(self, weights: Weights, rows: Iterable[Batch]) -> dict[str, float]:
        """The statistics of all rows at these weights, added up."""
        assign(self._model, weights)
        with tf.device(self._device):
            sums = [self._sums(tf.constant(x), tf.constant(y)) for x, y in rows]
        names = self._task.objective.names
        return {name: sum(float(one[name]) for one in sums) for name in names}

    def _batch_spec(self) -> list[tf.TensorSpec]:
        spec = self._task.payload_spec(self.batch_size)
        return [
            tf.TensorSpec([self.batch_size, *spec[name].shape[1:]], spec[name].dtype)
            for name in ("x", "y")
        ]

    def _forward(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._task.statistics(y, self._model(x, training=False))


class GlobalEvaluation:
    """Called with weights as often as wanted.

    max_examples: a fixed draw of the split's clients, the last of them cut, keyed by `seed`.
    forward: what is compiled, where there is one for such tasks already.
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
        forward: Forward | None = None,
    ) -> None:
        self._task = task
        self._reader = task.reader(split)
        self._forward = forward or Forward(task, build_model, batch_size, device)
        self._batch_size = self._forward.batch_size
        self._clients = _drawn(self._reader.dataset.index(split), max_examples, seed)
        self._held: list[Batch] | None = None
        self._labels: collections.Counter[int] | None = None
        self._examples = 0

    def __call__(
        self,
        weights: Weights,
        client_ids: Sequence[str] | None = None,
        client_examples: int | None = None,
    ) -> dict[str, float]:
        """Loss, accuracy, ... of the split at these weights, or of the named clients' pooled rows.

        `weights` has `trainable` and `non_trainable` in the order of the model's variables.
        `client_examples` bounds each named client; by default as the task bounds its training.
        """
        limit = client_examples or self._task.defaults.max_examples
        rows = self._split() if client_ids is None else self._pooled(client_ids, limit)
        return self._task.summarise(self._forward.sums(weights, rows))

    def _split(self) -> Iterator[Batch]:
        if self._held is not None:
            yield from self._held
            return
        held: list[Batch] | None = []
        labels: collections.Counter[int] = collections.Counter()
        size = examples = 0
        for x, y in batches(self._rows(), self._batch_size):
            size += x.nbytes + y.nbytes
            labels.update(_counted(y))
            examples += _examples(y)
            if held is not None:
                held.append((x, y))
            if size > HELD_BYTES:
                held = None
            yield x, y
        self._held, self._labels, self._examples = held, labels, examples

    def labels(self) -> dict[str, float]:
        """How many labels of the split are scored, and the share of the commonest: chance.

        examples: how many rows they are of; those of one row are not independent of each other.
        Empty for labels that are not classes.
        """
        if self._labels is None:
            collections.deque(self._split(), maxlen=0)
        assert self._labels is not None
        unscored = self._task.objective.unscored
        counts = [n for label, n in self._labels.items() if label not in unscored]
        if not counts:
            return {}
        return {
            "labels": sum(counts),
            "commonest_share": max(counts) / sum(counts),
            "examples": self._examples,
        }

    def _rows(self) -> Iterator[Batch]:
        for client_id, limit in self._clients:
            yield self._reader.fresh_rows(client_id, limit)

    def _pooled(self, client_ids: Sequence[str], limit: int | None) -> Iterator[Batch]:
        rows = (self._reader.rows(client_id, limit) for client_id in client_ids)
        return batches(rows, self._batch_size)


def _counted(y: np.ndarray) -> dict[int, int]:
    """How often each class is a label that counts."""
    if not np.issubdtype(y.dtype, np.integer):
        return {}
    found, counts = np.unique(y[y != PADDING_LABEL], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _examples(y: np.ndarray) -> int:
    """The rows that have a label."""
    return int((y != PADDING_LABEL).reshape(len(y), -1).any(axis=1).sum())


def _drawn(index: Index, max_examples: int | None, seed: int) -> list[tuple[str, int | None]]:
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
            _filled(np.concatenate(ys), padding_of(ys[0].dtype.name), batch_size),
        )


def _filled(array: np.ndarray, value: float, length: int) -> np.ndarray:
    filled = np.full((length, *array.shape[1:]), value, array.dtype)
    filled[: len(array)] = array
    return filled


def assign(model: tf.keras.Model, weights: Weights) -> None:
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


QUANTILES = (10, 25, 50, 75, 90)
WORST_SHARE = 0.1


# (weights, what the client keeps) -> the weights that the client uses.
Own = Callable[[Weights, Nested], Weights]


class ClientEvaluation:
    """Built once a run; an executor maps `computation` over `reads(...)`.

    `figures(executor.map_clients(evaluation.computation, weights, inputs))` with one ClientInput
    for each pair of `reads(client_ids)`.
    """

    def __init__(
        self,
        task: Task,
        build_model: Callable[[], tf.keras.Model] | None = None,
        split: str = "test",
        batch_size: int | None = None,
        max_examples: int | None = None,
        state_spec: Spec = None,
        own: Own | None = None,
        fixed_shapes: bool = True,
    ) -> None:
        """`max_examples` bounds each client; by default as the task bounds a client's training.

        Where clients keep their own layers, `own` puts them into the weights, from a state of
        `state_spec` beside the payload. `fixed_shapes`: see payload.batch_at.
        """
        self._task = task
        self._reader = task.reader(split)
        self._work = evaluation_work(task, batch_size, max_examples)
        self.computation = sums_of_client(
            task,
            build_model or task.build_model,
            self._work.batch_size,
            state_spec,
            own,
            fixed_shapes,
        )

    def reads(self, client_ids: Iterable[str]) -> list[tuple[str, Callable[[], Payload]]]:
        """Each client with the picklable read of its payload."""
        return [(name, self._reader.bind(name, self._work, 0, 0)) for name in client_ids]

    def figures(self, results: Iterable[Mapping[str, Json]]) -> dict[str, float]:
        """The pooled figures, and how accuracy and loss spread over the clients."""
        pooled: collections.Counter[str] = collections.Counter()
        alone = []
        for sums in results:
            client = {name: float(value) for name, value in sums.items()}
            pooled.update(client)
            alone.append(self._task.summarise(client))
        if not alone:
            return {}
        figures = self._task.summarise(pooled)
        for name in ("accuracy", "loss"):
            values = [client[name] for client in alone]
            for statistic, value in spread(values, worst_is_low=name == "accuracy").items():
                figures[f"{name}_{statistic}"] = value
        return figures


def sums_of_client(
    task: Task,
    build_model: Callable[[], tf.keras.Model],
    batch_size: int,
    state_spec: Spec = None,
    own: Own | None = None,
    fixed_shapes: bool = True,
) -> tff.Computation:
    """`(model weights, client data) -> sums` over each row of the client once."""
    weights_type = tff.learning.models.weights_type_from_model(task.model_fn(build_model))
    data_type = tff.SequenceType(tff.types.tensorflow_to_type(task.payload_spec(batch_size)))
    if own is not None:
        state_type = tff.SequenceType(tff.types.tensorflow_to_type(state_spec))
        data_type = tff.to_type(collections.OrderedDict(data=data_type, state=state_type))

    @tff.tensorflow.computation(weights_type, data_type)
    def sums_of(weights: Weights, data: Nested) -> Mapping[str, tf.Tensor]:
        payload = payload_of(data if own is None else data["data"])
        kept = None if own is None else payload_of(data["state"])
        with starting_at_zero():
            model = build_model()

        @Traced
        def evaluate(
            weights: Weights, payload: Mapping[str, tf.Tensor], kept: Nested
        ) -> Mapping[str, tf.Tensor]:
            assign(model, weights if own is None else own(weights, kept))
            return _summed(task, model, payload, fixed_shapes)

        return evaluate(weights, payload, kept)

    return sums_of


def _summed(
    task: Task, model: tf.keras.Model, payload: Mapping[str, tf.Tensor], fixed_shapes: bool
) -> Mapping[str, tf.Tensor]:
    def sums_at(step: tf.Tensor) -> "collections.OrderedDict[str, tf.Tensor]":
        x, y = batch_at(payload, step, fixed_shapes)
        sums = task.statistics(y, model(x, training=False))
        return collections.OrderedDict((n, tf.cast(v, tf.float64)) for n, v in sums.items())

    zeros = collections.OrderedDict((n, tf.zeros([], tf.float64)) for n in task.objective.names)
    return added_over_steps(sums_at, zeros, payload)


def spread(values: Sequence[float], worst_is_low: bool) -> dict[str, float]:
    """Mean, deviation, quantiles and the mean of the worst tenth, each client counting once.

    Clients without a figure (nothing of theirs counted) are left out and counted as such.
    """
    known = np.sort([value for value in values if not math.isnan(value)])
    missing = float(len(values) - len(known))
    if not len(known):
        names = ("mean", "std", *(f"p{q}" for q in QUANTILES), "worst_decile")
        return {**dict.fromkeys(names, math.nan), "missing": missing}
    worst = math.ceil(WORST_SHARE * len(known))
    return {
        "mean": float(np.mean(known)),
        "std": float(np.std(known)),
        **{f"p{q}": float(np.percentile(known, q)) for q in QUANTILES},
        "worst_decile": float(np.mean(known[:worst] if worst_is_low else known[-worst:])),
        "missing": missing,
    }
