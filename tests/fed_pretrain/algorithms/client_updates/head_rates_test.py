"""The bias of the toy is its head: its rate, its schedule, rounds in which nothing else moves."""

import numpy as np
import pytest

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.refusals import check
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import (
    CLASSES,
    COHORTS,
    FEATURES,
    POPULATION,
    ROWS,
    SIZES,
    Run,
    Weights,
    build,
    flat,
    start_weights,
)

HEAD = 0.03


def run(executor, **settings) -> Run:
    config = ResolvedAlgorithm(
        alignment="none", population=POPULATION, population_rows=ROWS, **settings
    )
    made = Run(build(config, head=(1,)), executor)
    made.two_rounds()
    return made


def rates(body: float, head: float = HEAD) -> np.ndarray:
    return np.concatenate([np.full(FEATURES * CLASSES, body), np.full(CLASSES, head)])


def averaged(*rounds: np.ndarray) -> np.ndarray:
    x = flat(start_weights())
    for number, (clients, eta) in enumerate(zip(COHORTS, rounds, strict=True), 1):
        deltas = [oracle.local(x, c, number, eta=eta)[0] for c in clients]
        x = x - oracle.mean(deltas, oracle.sizes(clients))
    return x


@pytest.mark.slow
def test_the_head_moves_by_its_own_rate(executor) -> None:
    found = run(executor, head_learning_rate=HEAD).weights
    np.testing.assert_allclose(flat(found), averaged(rates(0.1), rates(0.1)), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "bodies", "heads"),
    [
        (
            {"head_schedule": "step", "schedule_step_rounds": 1, "schedule_step_factor": 0.25},
            *((0.1, 0.1), (HEAD, HEAD / 4)),
        ),
        pytest.param(
            {"head_schedule": "constant", "client_schedule": "warmup", "warmup_rounds": 2},
            *((0.05, 0.1), (HEAD, HEAD)),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"head_schedule": "cosine", "rounds": 2, "schedule_final_factor": 0.2},
            *((0.1, 0.1), (HEAD, 0.6 * HEAD)),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_head_follows_a_schedule_of_its_own(settings, bodies, heads, executor) -> None:
    found = run(executor, head_learning_rate=HEAD, **settings).weights
    np.testing.assert_allclose(flat(found), averaged(*map(rates, bodies, heads)), atol=1e-5)


def test_probing_rounds_leave_the_body_bit_identical_and_the_next_ones_move_all(executor) -> None:
    made = run(executor, head_learning_rate=HEAD, head_rounds=1)
    np.testing.assert_allclose(flat(made.weights), averaged(rates(0.0), rates(0.1)), atol=1e-5)
    probed = Run(made.algorithm, executor)
    probed.round(COHORTS[0], 1)
    first: Weights = start_weights()
    assert np.array_equal(probed.weights[0], first[0])
    assert not np.array_equal(probed.weights[1], first[1])


@pytest.mark.slow
def test_control_variates_divide_by_each_weights_own_rate(executor) -> None:
    found = run(executor, client_update="scaffold", head_learning_rate=HEAD)
    x, eta = flat(start_weights()), rates(0.1)
    control, own = np.zeros_like(x), {k: np.zeros_like(x) for k in SIZES}
    for number, clients in enumerate(COHORTS, 1):
        deltas, change = [], np.zeros_like(x)
        for k in clients:
            delta, tau = oracle.local(
                x, k, number, lambda g, y, k=k, c=control: g - own[k] + c, eta=eta
            )
            new = own[k] - control + delta / (tau * eta)
            change, own[k] = change + SIZES[k] * (new - own[k]), new
            deltas.append(delta)
        x = x - oracle.mean(deltas, oracle.sizes(clients))
        control = control + change / ROWS
    np.testing.assert_allclose(flat(found.weights), x, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"client_update": "mime", "head_learning_rate": 0.1}, "hold fixed, has one"),
        ({"client_update": "mime", "head_schedule": "constant"}, "hold fixed, has one"),
        ({"client_update": "nova", "proximal_strength": 0.1, "head_rounds": 1}, "of one rate"),
        ({"head_rounds": 1, "server_weight_decay": 0.1}, "--server_weight_decay would move"),
        ({"head_rounds": 1, "dp_noise_multiplier": 1.0, "weighting": "uniform"}, "noise of"),
    ],
)
def test_what_cannot_move_the_head_apart_is_refused(settings, why) -> None:
    with pytest.raises(UserError, match=why):
        check(ResolvedAlgorithm(clients_per_round=3, population=6, population_rows=20, **settings))


def test_a_model_without_a_head_is_refused() -> None:
    with pytest.raises(UserError, match="need a head that trains"):
        build(ResolvedAlgorithm(head_rounds=1))
