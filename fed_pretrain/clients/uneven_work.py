"""System heterogeneity, on the host: who works how much in a round, and who drops out or is late.

The paper's: each round a share of the cohort, drawn anew, runs E_i ~ U{1..5} local epochs. The
devices': each client has a speed, fixed for the run, and a round ends at a deadline;
a client that would need longer does what it can (partial), is left out (drop), or its update
arrives in a later round (late). Everything is a pure function of (seed, round, client).

A late client trained on the model of the round that chose it. The server keeps its last models
(`--late_rounds` of them, in the state, so checkpoints hold them), and the late client's payload
says how many rounds back it began: its update is computed from that older model in the round that
receives it, which gives the same numbers as having waited for it.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from fed_pretrain.clients.local_work import LocalWork
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.settings import check_bounds, setting
from groundwork.untyped import Nested, Spec

POLICIES = ("partial", "drop", "late")


class ClientSizes(Protocol):
    """The part of a dataset's index that work is planned by."""

    num_examples: np.ndarray

    def position(self, client_id: str) -> int: ...


@dataclasses.dataclass(frozen=True)
class SystemConfig:
    varied_share: float = setting(
        0.0, "Share of a cohort that draws its local epochs (the paper: 0.3).", lower_bound=0.0
    )
    varied_epochs: int = setting(
        5, "They draw uniformly from 1 to this (the paper: 5).", lower_bound=1
    )
    dropout_share: float = setting(
        0.0, "Chance that a client drops out in the middle of a round.", lower_bound=0.0
    )
    speed_spread: float = setting(
        0.0, "Spread of device speeds: sigma of a log-normal of median 1.", lower_bound=0.0
    )
    deadline_steps: float = setting(
        0.0, "Steps of a median device at which a round ends; 0 is never.", lower_bound=0.0
    )
    stragglers: str = setting(
        "partial", "What becomes of work beyond the deadline.", choices=POLICIES
    )

    def __post_init__(self) -> None:
        for name in ("varied_share", "dropout_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError(f"--{name} is a share, between 0 and 1, not {getattr(self, name)}")
        check_bounds(self)
        if self.speed_spread and not self.deadline_steps:
            raise UserError("--speed_spread changes nothing without --deadline_steps")


@dataclasses.dataclass(frozen=True)
class ClientPlan:
    """One client's part in a round; `lag` rounds ago it was chosen, in round `began`."""

    client_id: str
    work: LocalWork
    began: int
    lag: int = 0


def plan_round(
    config: SystemConfig,
    work: LocalWork,
    cohort: Sequence[str],
    index: ClientSizes,
    seed: int,
    round_number: int,
    late_rounds: int = 0,
    cohort_of: Callable[[int], Sequence[str]] | None = None,
) -> list[ClientPlan]:
    """Whose updates this round receives, in cohort order, late ones of earlier rounds last.

    `cohort_of` gives earlier cohorts and is needed for late arrivals only.
    """
    if config.stragglers == "late" and config.deadline_steps:
        if not late_rounds or cohort_of is None:
            raise UserError("--stragglers=late needs --late_rounds, the models the server keeps")
        late_plans = [
            plan
            for lag in range(late_rounds, 0, -1)
            if round_number - lag >= 1
            for plan in _chosen(config, work, cohort_of, index, seed, round_number - lag, lag)
        ]
    else:
        late_plans = []
    now = _outcomes(config, work, cohort, index, seed, round_number)
    return [p for p in now if p.lag == 0] + late_plans


def speed(config: SystemConfig, seed: int, client_id: str) -> float:
    """Steps a device does while a median one does one."""
    draw = randomness.generator(seed, "device speed", client_id).standard_normal()
    return math.exp(config.speed_spread * draw)


def drawn_epochs(
    config: SystemConfig, cohort: Sequence[str], seed: int, round_number: int
) -> dict[str, int]:
    """E_i of the clients that draw one: round(share * n) of them, without replacement."""
    generator = randomness.generator(seed, "varied epochs", round_number)
    count = round(config.varied_share * len(cohort))
    chosen = generator.choice(len(cohort), count, replace=False)
    epochs = generator.integers(1, config.varied_epochs, size=count, endpoint=True)
    return {cohort[int(i)]: int(e) for i, e in zip(chosen, epochs, strict=True)}


def late_read(
    read: Callable[[], Nested], lag: int
) -> Callable[[], collections.OrderedDict[str, np.ndarray]]:
    """The client's reader, its payload saying how many rounds back it began; picklable."""
    return functools.partial(_with_lag, read, lag)


def late_payload_spec(payload_spec: Spec) -> Spec:
    """A task's payload with `lag`, which algorithms with --late_rounds take."""
    import tensorflow as tf

    return collections.OrderedDict(payload_spec, lag=tf.TensorSpec([], tf.int32))


def _with_lag(read: Callable[[], Nested], lag: int) -> collections.OrderedDict[str, np.ndarray]:
    return collections.OrderedDict(read(), lag=np.int32(lag))


def _chosen(
    config: SystemConfig,
    work: LocalWork,
    cohort_of: Callable[[int], Sequence[str]],
    index: ClientSizes,
    seed: int,
    began: int,
    lag: int,
) -> list[ClientPlan]:
    plans = _outcomes(config, work, cohort_of(began), index, seed, began)
    return [plan for plan in plans if plan.lag == lag]


def _outcomes(
    config: SystemConfig,
    work: LocalWork,
    cohort: Sequence[str],
    index: ClientSizes,
    seed: int,
    round_number: int,
) -> list[ClientPlan]:
    """What becomes of each client chosen in `round_number`; those that never report are absent."""
    epochs = drawn_epochs(config, cohort, seed, round_number) if config.varied_share else {}
    plans = []
    for client_id in cohort:
        if _drops_out(config, seed, round_number, client_id):
            continue
        own = work
        if client_id in epochs:
            own = _with_epochs(work, epochs[client_id])
        plan = ClientPlan(client_id, own, round_number)
        if config.deadline_steps:
            late = _by_deadline(config, plan, _rows(index, client_id, own), seed)
            if late is None:
                continue
            plan = late
        plans.append(plan)
    return plans


def _drops_out(config: SystemConfig, seed: int, round_number: int, client_id: str) -> bool:
    if not config.dropout_share:
        return False
    draw = randomness.generator(seed, "dropout", round_number, client_id).random()
    return bool(draw < config.dropout_share)


def _with_epochs(work: LocalWork, epochs: int) -> LocalWork:
    """With an exact number of steps, E_i epochs are E_i times as many."""
    if work.steps is not None:
        return dataclasses.replace(work, steps=work.steps * epochs)
    return dataclasses.replace(work, epochs=epochs)


def _rows(index: ClientSizes, client_id: str, work: LocalWork) -> int:
    rows = int(index.num_examples[index.position(client_id)])
    return rows if work.max_examples is None else min(rows, work.max_examples)


def _by_deadline(config: SystemConfig, plan: ClientPlan, rows: int, seed: int) -> ClientPlan | None:
    able = int(config.deadline_steps * speed(config, seed, plan.client_id))
    needed = plan.work.num_steps(rows)
    if needed <= able:
        return plan
    if config.stragglers == "late" and able > 0:
        return dataclasses.replace(plan, lag=math.ceil(needed / able) - 1)
    if config.stragglers == "partial" and able > 0:
        return dataclasses.replace(plan, work=dataclasses.replace(plan.work, max_steps=able))
    return None
