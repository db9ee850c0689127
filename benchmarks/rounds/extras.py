"""What probes and TensorBoard add to a round: runs in one process that do a round each in turn.

Each run is a thread, and all but one of them wait. What slows the machine then slows a round and
the plain one that it is compared with alike.
"""

import concurrent.futures
import contextlib
import functools
import io
import random
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    ProbeConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.experiment.training.run import train
from fed_pretrain.tracking.follower import FollowedRun, Follower, Row

CLIENTS, ROWS, BATCH, RATE = 10, 100, 20, 0.003
TITLE = f"EMNIST CNN, {CLIENTS} clients, each with {ROWS} rows in {BATCH}s"
NEVER = 10**6


class Extra(NamedTuple):
    """What a run is asked for beside its rounds."""

    probes: str = ""
    tensorboard: bool = False


PLAIN = "nothing"
EXTRAS = {
    PLAIN: Extra(),
    "nothing, a second time": Extra(),
    "`--probes=distance` (the default)": Extra("distance"),
    "`--probes=alignment`": Extra("alignment"),
    "`--probes=alignment,distance`": Extra("alignment,distance"),
    "`--tensorboard`": Extra(tensorboard=True),
}


class Turns(Follower):
    """Holds a run before each of its rounds until `one_round` lets it do one."""

    def __init__(self, config: RunConfig, pool: concurrent.futures.Executor) -> None:
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._run = pool.submit(functools.partial(train, config, followers=[self]))
        self._until_held()

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        self._hold()

    def row(self, row: Row) -> None:
        self._hold()

    def one_round(self) -> tuple[float, float]:
        """Its seconds and CPU seconds."""
        wall, cpu = time.perf_counter(), time.process_time()
        self._go.release()
        self._until_held()
        return time.perf_counter() - wall, time.process_time() - cpu

    def finish(self) -> None:
        """The last round, which evaluates, too."""
        self.one_round()
        self._go.release()
        self._run.result()

    def _hold(self) -> None:
        self._done.release()
        self._go.acquire()

    def _until_held(self) -> None:
        while not self._done.acquire(timeout=1.0):
            if self._run.done():
                raise SystemExit(f"a run ended early: {self._run.exception()}")


def measure(turns: int, clients: int = CLIENTS, rows: int = ROWS) -> Mapping[str, Any]:
    """(seconds, CPU seconds) of each turn by what a run is asked for; the order is drawn anew."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in EXTRAS}
    draw = random.Random(0)
    with (
        tempfile.TemporaryDirectory() as text,
        concurrent.futures.ThreadPoolExecutor(len(EXTRAS)) as pool,
        contextlib.redirect_stderr(io.StringIO()),  # seven progress lines at once
    ):
        folder = Path(text)
        dataset = _prepared(folder / "data", clients)
        runs = {
            name: Turns(_run(dataset, folder / str(number), extra, turns, rows), pool)
            for number, (name, extra) in enumerate(EXTRAS.items())
        }
        for turn in range(turns + 1):
            for name in draw.sample(list(EXTRAS), len(EXTRAS)):
                cost = runs[name].one_round()
                if turn:  # the first one compiles
                    spent[name].append(cost)
        for run in runs.values():
            run.finish()
    return spent


def ratios(spent: Mapping[str, Sequence[Sequence[float]]], name: str, part: int) -> list[float]:
    """Of each turn, to the plain round of the same turn; part 0 is seconds, 1 is CPU seconds."""
    return [one[part] / plain[part] for one, plain in zip(spent[name], spent[PLAIN], strict=True)]


def _prepared(folder: Path, clients: int) -> Path:
    prepare(
        PrepareConfig(
            source="mnist5k",
            output=str(folder),
            partition="iid",
            num_clients=clients,
            split="by_example",
            split_fractions=(0.7, 0.1, 0.2),
        )
    )
    return folder


def _run(dataset: Path, place: Path, extra: Extra, turns: int, rows: int) -> RunConfig:
    return RunConfig(
        task="mnist5k",
        dataset=str(dataset),
        workdir=str(place),
        model="emnist_cnn",
        algorithm_name="fedavg",
        algorithm_settings=(("client_learning_rate", RATE),),
        work=WorkConfig(
            rounds=turns + 2, sampling="all", batch_size=BATCH, epochs=1, max_examples=rows
        ),
        evaluation=EvaluationConfig(evaluate_every=NEVER, eval_examples=100),
        probes=ProbeConfig(probes=extra.probes),
        saving=SavingConfig(checkpoint_every=NEVER, tensorboard=extra.tensorboard),
    )
