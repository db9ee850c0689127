"""What a probe looks at: a model in its run, at the start, in rounds or after the fact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.executor import Executor
from fed_pretrain.models.weights import Weights
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.curvature.lanczos import LanczosResult
    from fed_pretrain.tasks.client_sums import BuildModel
    from fed_pretrain.tasks.task import Task

Value = TypeVar("Value")
Snapshots = Sequence[tuple[int, Callable[[], Weights]]]
"""Rounds in order, the last one at the end, and how to read their weights."""
Updates = Iterator[tuple[list["np.ndarray"], float]]
"""Each client's update and its weight in the round's mean, in the cohort's order."""
OnClient = Callable[[str, Mapping[str, float]], None]
"""Receives each client's id and figures, in order."""


@dataclasses.dataclass(frozen=True)
class Model:
    """Weights, a name short enough for a figure, and the start they were trained from."""

    name: str
    weights: Weights
    start_digest: str


@dataclasses.dataclass(frozen=True)
class ComingRound:
    """The round after the subject's weights: its clients, and what each of them would send.

    `approximate` says what of the run's state was not kept; None when all of it was. `servers_own`
    says what the server makes of the updates where that is not their mean.
    """

    number: int
    client_ids: Sequence[str]
    updates: Callable[[], Updates]
    client_update: str
    client_learning_rate: float
    servers_own: str | None
    approximate: str | None

    def provenance(self) -> dict[str, Json]:
        """How the updates came about, for a JSON file."""
        return {
            "round": self.number,
            "client_update": self.client_update,
            "client_learning_rate": self.client_learning_rate,
            "updates": "each client's own update, before the aggregation clips, compresses or"
            " adds noise",
            "approximate": self.approximate,
        }


@dataclasses.dataclass(frozen=True)
class OnePass:
    """The start with a head in closed form, and the bytes that one pass over all clients sends."""

    weights: Weights
    bytes_down: int
    bytes_up: int


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A model with a head retrained on virtual features: all weights, and the head's `values`.

    strength: the regulariser of covariances and head. Bytes are those of one pass over `clients`.
    """

    values: Mapping[str, np.ndarray]
    weights: Weights
    clients: int
    bytes_down: int
    bytes_up: int
    strength: float


class Cached(Protocol):
    """Keeps what is costly to compile, by a name that is unique to one structure of task and model.

    What is kept serves other datasets of that structure, too, so it holds none.
    """

    def __call__(self, name: Hashable, make: Callable[[], Value]) -> Value: ...


def _built_anew(name: Hashable, make: Callable[[], Value]) -> Value:
    return make()


def _only_at_a_checkpoint(*arguments: object) -> Any:
    raise NotImplementedError("a run in progress has no such part; analyze has it")


@dataclasses.dataclass(frozen=True)
class Subject:
    """One plain context, in a run and after it; in a run `model` is the start.

    names: of the trainable tensors; folder: where the probe's files go; work, client_learning_rate
    and model_bytes: the clients' own, and the size of what is sent to each.
    After the fact only: round_number; snapshots: the kept rounds up to it, none of a start;
    others: models by the flag that names them; cohort: the clients drawn for the next round;
    max_clients bounds it; evaluate: the run's evaluation columns of any weights; calibration:
    refuses a model that has none, and returns what makes the model with a head of CCVR; sent: bytes
    down and up so far.
    one_pass: the start with a head of one pass, None where it has none or is one already.
    `eigenpairs` holds what one probe leaves for the others of the same call.
    """

    task: Task
    build_model: BuildModel
    names: Sequence[str]
    executor: Executor
    seed: int
    folder: Path
    start: Model
    model: Model
    work: LocalWork
    client_learning_rate: float
    model_bytes: int
    settings: Mapping[type, object] = dataclasses.field(default_factory=dict)
    eval_split: str = "test"
    cached: Cached = _built_anew
    round_number: int = 0
    snapshots: Snapshots = ()
    others: Mapping[str, Model] = dataclasses.field(default_factory=dict)
    max_clients: int | None = None
    cohort: Callable[[], Sequence[str]] = _only_at_a_checkpoint
    coming_round: Callable[[], ComingRound] = _only_at_a_checkpoint
    evaluate: Callable[[Weights, OnClient | None], Mapping[str, Json]] = _only_at_a_checkpoint
    calibration: Callable[[], Callable[[], Calibration]] = _only_at_a_checkpoint
    sent: Callable[[], tuple[int, int]] = _only_at_a_checkpoint
    one_pass: Callable[[], OnePass | None] = lambda: None
    eigenpairs: dict[str, LanczosResult] = dataclasses.field(default_factory=dict)

    def option(self, kind: type[Value]) -> Value:
        """The options of this dataclass as the flags set them."""
        return cast(Value, self.settings[kind]) if kind in self.settings else kind()
