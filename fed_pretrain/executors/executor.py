"""What an executor is: three verbs over a cohort of clients, whatever runs them."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from groundwork.untyped import Computation, Nested, Process, State

Payload = Mapping[str, "np.ndarray"]
Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class ClientInput:
    """One client of a cohort. `read` is picklable and is called where the client's work runs."""

    client_id: str
    read: Callable[[], Payload]
    state: State = None


@dataclasses.dataclass(frozen=True)
class RoundOutput:
    """A finished round; `client_states` is keyed by client id and empty for stateless clients."""

    state: State
    metrics: Nested
    client_states: Mapping[str, State]
    seconds: Mapping[str, float]


class Executor(abc.ABC):
    """Runs federated computations over clients; results do not depend on the concurrency.

    `server_device` is where the server's part runs, and evaluations beside the executor should.
    """

    name: str
    server_device: str = "/CPU:0"
    fixed_shapes: bool = True
    """Whether batches are to have one size: XLA compiles, and a GPU prepares, each shape anew."""
    reads_elsewhere: bool = False
    """Whether clients are read in other processes than this one."""

    @abc.abstractmethod
    def initialize(self, process: Process) -> State:
        """The process's initial state, on the host."""

    @abc.abstractmethod
    def run_round(
        self, process: Process, state: State, clients: Sequence[ClientInput]
    ) -> RoundOutput:
        """Runs `process.next(state, client data)` for one cohort."""

    @abc.abstractmethod
    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Iterator[Nested]:
        """Yields `computation(value, client data)` for each client, in cohort order.

        `computation` is a `tff.tensorflow.computation` of (server value, one-element sequence).
        """

    @abc.abstractmethod
    def sum_clients(
        self, computation: Computation, value: Nested, clients: Sequence[ClientInput]
    ) -> Nested:
        """Sums `computation(value, client data)` over the clients, in cohort order."""

    def op_table(self, process: Process, state: State, client: ClientInput) -> str:
        """Which device runs which op of the client's work; empty where there is no choice.

        Refuses options that had no effect.
        """
        return ""

    def runs_on(self) -> str:
        """The devices of client work and the versions there, where this process has others."""
        return ""

    def profiled(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Within it, processes beside this one write into `folder` what they do, if they can."""
        return contextlib.nullcontext()

    @abc.abstractmethod
    def close(self) -> None:
        """Ends every process and thread the executor started."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def cached(cache: dict[int, tuple[object, Value]], key: object, make: Callable[[], Value]) -> Value:
    """By identity: hashing a computation would serialise it. The key is kept alive."""
    if id(key) not in cache:
        cache[id(key)] = (key, make())
    return cache[id(key)][1]


def of_algorithm(process: Process) -> Process:
    """The TFF process of an algorithm, or the process itself."""
    return getattr(process, "process", process)
