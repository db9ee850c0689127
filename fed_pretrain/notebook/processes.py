"""TFF both ways: our algorithms in its programs, and its processes on our executors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm import Algorithm as BuiltAlgorithm
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.experiment.assembly import session as sessions
from fed_pretrain.notebook import algorithms
from fed_pretrain.notebook.algorithms import Algorithm
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.watching import one_at_a_time
from fed_pretrain.starts.start import Start
from fed_pretrain.tasks.task import Task
from groundwork.untyped import KerasLayer, Process, TffModel


def learning_process(
    model_fn: Callable[[], TffModel],
    algorithm: str | Algorithm = "fedavg",
    *,
    seed: int = 0,
    clients_per_round: int = 0,
    population: int = 0,
    rounds: int = 0,
) -> Process:
    """One of our algorithms as a `tff.learning.templates.LearningProcess` over `tf.data` clients.

    It takes what TFF's own processes take: `process.next(state, [dataset, ...])` with batched
    datasets of the model's `input_spec`, in `tff.learning.programs.train_model` as well.

    Args:
      model_fn: makes a `tff.learning.models.VariableModel`, as of `from_keras_model`.
      algorithm: a usual name, or `fed_pretrain.algorithm(...)`; those that keep a state for each
        client need `fed_pretrain.train`.
      seed: of dropout and other randomness in a client's work.
      clients_per_round, population, rounds: what schedules and secure sums depend on.
    """
    chosen = algorithms.of(algorithm)
    with one_at_a_time(), naming(algorithm="algorithm"):
        from fed_pretrain.algorithms import batched_clients

        config = known_algorithms.resolve(chosen.name, "", "random", dict(chosen.settings))
        resolved = config.of_run(
            clients_per_round=clients_per_round, population=population, rounds=rounds, seed=seed
        )
        return batched_clients.process_over_batches(resolved, model_fn, seed)


class ProcessSession(sessions.Session):
    """What runs of the process share, with the executors of every other run."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process
        self._built: dict[int, BuiltAlgorithm] = {}

    def algorithm(
        self,
        config: ResolvedAlgorithm,
        task: Task,
        start: Start,
        batch_size: int,
        build_model: Callable[[], KerasLayer],
        fixed_shapes: bool,
    ) -> BuiltAlgorithm:
        from fed_pretrain.algorithms import foreign

        _check_weights(self._process, start)
        if id(task) not in self._built:
            spec = task.payload_spec(batch_size)
            self._built[id(task)] = foreign.algorithm(self._process, spec, config)
        return self._built[id(task)]

    def executor(self, options: Any) -> Any:
        return sessions.shared().executor(options)


def _check_weights(process: Process, start: Start) -> None:
    """Of the same shapes, in the same order."""
    held = process.get_model_weights.type_signature.result
    for theirs, ours, word in (
        (held.trainable, start.weights[0], "trainable"),
        (held.non_trainable, start.weights[1], "other"),
    ):
        shapes = [tuple(one.shape) for one in theirs], [np.shape(one) for one in ours]
        if shapes[0] != shapes[1]:
            raise ArgumentError(
                f"process: its model has {word} weights of shapes {_listed(shapes[0])}, model has"
                f" {_listed(shapes[1])}: give the model that the process trains"
            )


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes) or "none"
