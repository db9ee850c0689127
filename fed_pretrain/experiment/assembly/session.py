"""What runs of one process share: opened datasets, executors and built learning processes.

Building and compiling a learning process takes seconds. Runs that differ only in seed, rounds or
work directory use the same one.
"""

import atexit
import collections
import dataclasses
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import tensorflow as tf

from data_prep.store.reader import PreparedDataset, WithoutClients
from fed_pretrain.algorithms import compose, known_server_optimizers, refusals
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import VALUES, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.clients import uneven_work
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.starts.start import Start
from fed_pretrain.tasks import known_tasks, own_model
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.task import Task
from groundwork.untyped import Json

_KEPT = 6
# Programs are small beside a dataset, and a study's cells come in any order.
_KEPT_COMPILED = 24
# Settings that no graph depends on, or only by numbers that follow from them.
_RUNS_OWN = (
    *("population", "population_rows", "clients_per_round", "sampling"),
    *("seed", "releases", "dp_delta", "dp_restart_rounds"),
)
Value = TypeVar("Value")


class _Recent:
    """The last few values made, by what they were made from."""

    def __init__(self, size: int = _KEPT) -> None:
        self._size = size
        self._values: collections.OrderedDict[Hashable, Any] = collections.OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        value: Value = self._values[key]
        return value


class Session:
    """One a process; `shared()` gives it."""

    def __init__(self) -> None:
        self._tasks = _Recent()
        self._algorithms = _Recent(_KEPT_COMPILED)
        self._compiled = _Recent(_KEPT_COMPILED)
        self._others = _Recent()
        self._executors: dict[ExecutorOptions, Executor] = {}

    def task(
        self,
        name: str,
        dataset: PreparedDataset,
        model: str | None,
        options: TaskOptions,
        left_out: frozenset[str] = frozenset(),
    ) -> Task:
        """The task on a dataset without some clients; the same object for the same content."""
        known = own_model.label(str(model)) if own_model.is_own(model) else model
        key = (name, dataset.fingerprint, dataset.path, known, options)
        whole = self._tasks.get(key, lambda: known_tasks.load(name, dataset, model, options))
        if not left_out:
            return whole
        # Classes and words stay those of the whole dataset.
        rest = WithoutClients(dataset, left_out)
        return self._tasks.get((*key, left_out), lambda: dataclasses.replace(whole, dataset=rest))

    def algorithm(
        self,
        config: ResolvedAlgorithm,
        task: Task,
        start: Start,
        batch_size: int,
        build_model: Callable[[], tf.keras.Model],
        fixed_shapes: bool,
    ) -> Algorithm:
        """`task` and `build_model` are what rounds see of the task's and the start's.

        `fixed_shapes` is what the executor needs.
        """
        refusals.check(config)  # what is built for others would not
        key = (_compiled_of(config), structure(task, start), batch_size, fixed_shapes)
        spec = task.payload_spec(batch_size)
        if config.late_rounds:
            spec = uneven_work.late_payload_spec(spec)
        averaged = tuple(start.names[1].index(name) for name in start.averaged)
        shared: Algorithm = self._algorithms.get(
            key,
            lambda: compose.build(
                config,
                task.model_fn(build_model),
                spec,
                task,
                weight_names=start.names[0],
                averaged=averaged,
                corrected=start.corrected,
                personal=start.personal_positions(config.personal),
                head=start.head_positions if config.moves_head_apart else (),
                fixed_shapes=fixed_shapes,
            ),
        )
        return dataclasses.replace(shared, config=config)

    def cached(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Any other object that is costly to make and holds data (an evaluation's rows)."""
        return self._others.get(key, make)

    def compiled(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What is compiled for a structure, and holds no data."""
        return self._compiled.get(key, make)

    def executor(self, options: ExecutorOptions) -> Executor:
        if options not in self._executors:
            self._executors[options] = creation.create(options)
        return self._executors[options]

    def close(self) -> None:
        while self._executors:
            self._executors.popitem()[1].close()


def structure(task: Task, start: Start) -> Hashable:
    """Equal where models are built alike and of alike rows: what compiled programs are kept by."""
    recipe = start.build_model.identity()
    # The random start's recipe leaves to the task what a file's names.
    recipe |= {"preprocessing": recipe["preprocessing"] or task.preprocessing}
    return task.structure, repr(recipe), start.averaged


def _compiled_of(config: ResolvedAlgorithm) -> Hashable:
    """What of an algorithm the compiled process depends on: runs then share it."""
    update = known_updates.named(config.client_update).of(config)
    server = known_server_optimizers.named(config.server_optimizer)
    numbers = [n for n in VALUES if server.of_numbers or not n.startswith(("server_", "schedule_"))]
    made: Hashable = update.structure()
    try:
        hash(made)
    except TypeError:  # what an update of the user's took from the config cannot be compared
        made = object()
    return _without_run(config).structure(numbers), config.moves_head_apart, made


def _without_run(config: ResolvedAlgorithm) -> ResolvedAlgorithm:
    """The config without the facts of a run, which enter as numbers: runs share what is built."""
    unused = [*_RUNS_OWN]
    if not config.follows_cosine:
        unused.append("rounds")
    defaults: dict[str, Json] = {field.name: field.default for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: defaults[name] for name in unused})


_shared: Session | None = None


def shared() -> Session:
    """This process' session; its executors end with the process."""
    global _shared
    if _shared is None:
        _shared = Session()
        atexit.register(_shared.close)
    return _shared
