"""Rounds that nobody works in, and rounds whose update is rejected, count as the others do."""

import collections
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import uneven_work
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.training import idle_rounds
from fed_pretrain.experiment.workdir.checkpoints import StateLayout
from tests.fed_pretrain.algorithms.toy import (
    OBJECTIVE,
    Run,
    build,
    model_fn,
    payload,
    payload_spec,
    start_weights,
)

NAMES = (["kernel", "bias"], [])
SCHEDULED = ResolvedAlgorithm(
    server_schedule="step", schedule_step_rounds=1, client_schedule="warmup", warmup_rounds=4
)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    device = creation.create(ExecutorOptions())
    yield device
    device.close()


def arrays(run: Run) -> dict[str, np.ndarray]:
    return StateLayout.of(run.algorithm, NAMES).to_arrays(run.state)


def end_round(run: Run, number: int, ran: bool) -> None:
    layout = StateLayout.of(run.algorithm, NAMES)
    config = run.algorithm.config
    run.state = idle_rounds.after_round(layout, run.state, number, config, ran)


def late(executor: Executor) -> Run:
    config = ResolvedAlgorithm(late_rounds=2, alignment="none")
    spec = uneven_work.late_payload_spec(payload_spec())
    return Run(compose.build(config, model_fn, spec, OBJECTIVE), executor)


def arriving(client: str, number: int, lag: int) -> dict[str, Any]:
    return {client: collections.OrderedDict(payload(client, number), lag=np.int32(lag))}


def test_a_client_of_an_empty_round_comes_late_with_that_rounds_model(executor: Executor) -> None:
    """Nobody worked in round 1 or 2; whoever began in them had the model that still stands."""
    expected, found = late(executor), late(executor)
    expected.round(("a",), 3, arriving("a", 3, lag=0))
    for number in (1, 2):
        end_round(found, number, ran=False)
    for path, values in zip(
        [f"state/distributor/{age}/{tensor}" for age in (0, 1) for tensor in (0, 1)],
        [*start_weights(), *start_weights()],
        strict=True,
    ):
        np.testing.assert_array_equal(arrays(found)[path], values, err_msg=path)
    found.round(("a",), 3, arriving("a", 3, lag=2))
    for one, other in zip(expected.weights, found.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_past_models_shift_by_one_in_an_empty_round(executor: Executor) -> None:
    run = late(executor)
    run.round(("a",), 1, arriving("a", 1, lag=0))
    end_round(run, 2, ran=False)
    np.testing.assert_array_equal(
        arrays(run)["state/distributor/0/0"], arrays(run)["model/trainable/kernel"]
    )
    np.testing.assert_array_equal(arrays(run)["state/distributor/1/0"], start_weights()[0])


def test_schedules_count_empty_and_rejected_rounds_as_any_other(executor: Executor) -> None:
    usual, idle = Run(build(SCHEDULED), executor), Run(build(SCHEDULED), executor)
    rejected = payload("a", 2)
    rejected["x"] = np.full_like(rejected["x"], np.nan)
    for number in (1, 2, 3):
        usual.round(("a",), number)
        end_round(usual, number, ran=True)
    idle.round(("a",), 1)
    idle.round(("a",), 2, {"a": rejected})
    end_round(idle, 2, ran=True)
    end_round(idle, 3, ran=False)
    counters = ("client_work/round", "finalizer/round_num", "finalizer/optimizer/learning_rate")
    for counter in counters:
        path = f"state/{counter}"
        assert arrays(idle)[path].dtype == arrays(usual)[path].dtype
        assert arrays(idle)[path] == arrays(usual)[path], path


def test_a_round_like_any_other_leaves_the_state_alone(executor: Executor) -> None:
    run = Run(build(SCHEDULED), executor)
    run.round(("a",), 1)
    state = run.state
    end_round(run, 1, ran=True)
    assert run.state is state
