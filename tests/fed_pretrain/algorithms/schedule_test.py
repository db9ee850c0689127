"""Learning rates and local steps over rounds."""

import dataclasses

import numpy as np
import pytest

from fed_pretrain.algorithms import refusals, schedule
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.errors import UserError


def factors(config: ResolvedAlgorithm, rounds: int) -> list[float]:
    plan = schedule.client(config)
    return [float(plan.factor(r)) for r in range(rounds)]


def test_warmup_rises_to_one_and_stays() -> None:
    config = ResolvedAlgorithm(client_schedule="warmup", warmup_rounds=4)
    assert np.allclose(factors(config, 6), [0.25, 0.5, 0.75, 1, 1, 1])


def test_cosine_ends_at_its_last_factor() -> None:
    config = ResolvedAlgorithm(
        client_schedule="cosine", schedule_rounds=10, schedule_final_factor=0.1
    )
    values = factors(config, 13)
    assert np.isclose(values[0], 1)
    assert np.isclose(values[5], 0.55)
    assert np.allclose(values[10:], 0.1)


def test_a_warmup_is_part_of_a_cosines_length() -> None:
    config = ResolvedAlgorithm(client_schedule="cosine", schedule_rounds=10, warmup_rounds=4)
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, *(0.5 * (1 + np.cos(np.pi * np.arange(1, 7) / 6)))]
    assert np.allclose(factors(config, 11), expected, atol=1e-6)


def test_steps_drop_by_their_factor_after_the_warmup() -> None:
    config = ResolvedAlgorithm(
        client_schedule="step",
        warmup_rounds=2,
        schedule_step_rounds=3,
        schedule_step_factor=0.5,
    )
    assert np.allclose(factors(config, 9), [0.5, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25])


def test_one_sides_warmup_leaves_the_other_constant() -> None:
    config = ResolvedAlgorithm(client_schedule="warmup", warmup_rounds=4)
    assert schedule.server(config).constant


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"client_schedule": "cosine"}, "client_schedule=cosine needs --schedule_rounds"),
        ({"head_schedule": "cosine"}, "head_schedule=cosine needs --schedule_rounds"),
        ({"client_schedule": "step"}, "client_schedule=step needs --schedule_step_rounds"),
        ({"server_schedule": "warmup"}, "server_schedule=warmup needs --warmup_rounds"),
    ],
)
def test_a_schedule_without_its_length_is_refused(settings, flag) -> None:
    with pytest.raises(UserError, match=flag):
        refusals.check(ResolvedAlgorithm(**settings))


def test_local_steps_decrease_to_the_minimum() -> None:
    config = ResolvedAlgorithm(
        local_steps_schedule="halve", local_steps_every=2, local_steps_minimum=3
    )
    assert [schedule.local_steps(config, 16, r) for r in range(7)] == [16, 16, 8, 8, 4, 4, 3]
    linear = ResolvedAlgorithm(local_steps_schedule="linear", rounds=5)
    assert [schedule.local_steps(linear, 9, r) for r in range(6)] == [9, 7, 5, 3, 1, 1]
    root = dataclasses.replace(linear, local_steps_schedule="inverse_sqrt")
    assert [schedule.local_steps(root, 10, r) for r in (0, 3, 99)] == [10, 5, 1]
    assert schedule.local_steps(ResolvedAlgorithm(), 7, 100) == 7
