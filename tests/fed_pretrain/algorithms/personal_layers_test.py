"""Layers that stay at their client, against NumPy: the bias of the toy is each client's own."""

import numpy as np
import pytest
import tensorflow_federated as tff

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.refusals import check
from fed_pretrain.executors.executor import Executor
from fed_pretrain.starts import personal_layers
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import (
    CLASSES,
    COHORTS,
    FEATURES,
    Run,
    batches,
    build,
    flat,
    grad,
    start_weights,
)

KERNEL = FEATURES * CLASSES


def personalised(first_steps: int, mu: float = 0.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    x = flat(start_weights())
    own: dict[str, np.ndarray] = {}
    for number, clients in enumerate(COHORTS, 1):
        deltas = []
        for client in clients:
            begin = np.concatenate([x[:KERNEL], own.get(client, x[KERNEL:])])
            y = begin.copy()
            for step, batch in enumerate(batches(client, number)):
                move = grad(y, *batch) + mu * (y - begin)
                if first_steps:
                    still = slice(0, KERNEL) if step < first_steps else slice(KERNEL, None)
                    move[still] = 0.0
                y = y - oracle.ETA * move
            own[client] = y[KERNEL:]
            deltas.append(np.concatenate([begin[:KERNEL] - y[:KERNEL], np.zeros(CLASSES)]))
        x = x - oracle.mean(deltas, oracle.sizes(clients))
    return x, own


def finished(executor: Executor, **settings) -> Run:
    config = ResolvedAlgorithm(alignment="none", personal="regex:bias", **settings)
    run = Run(build(config, personal=(1,)), executor)
    run.two_rounds()
    return run


@pytest.mark.parametrize(
    ("steps", "update", "mu"),
    [
        (2, "sgd", 0.0),
        pytest.param(0, "sgd", 0.0, marks=pytest.mark.slow),
        pytest.param(0, "proximal", 0.3, marks=pytest.mark.slow),
    ],
)
def test_clients_keep_their_own_layers_and_the_server_averages_the_others(
    executor, steps, update, mu
) -> None:
    settings = {"client_update": update, "personal_steps": steps}
    run = finished(executor, **settings, **({"proximal_strength": mu} if mu else {}))
    expected, own = personalised(steps, mu)
    np.testing.assert_allclose(flat(run.weights), expected, atol=1e-5)
    assert np.array_equal(run.weights[1], start_weights()[1])
    for client, state in run.client_states.items():
        np.testing.assert_allclose(state["personal"][0], own[client], atol=1e-5)


def test_a_client_is_judged_by_its_own_layers_and_a_new_one_by_the_servers(executor) -> None:
    run = Run(build(ResolvedAlgorithm(alignment="none", personal="x"), personal=(1,)), executor)
    run.round(("a",), 1)
    kept = run.algorithm.kept
    weights = tff.learning.models.ModelWeights(run.weights, [])
    known = kept.received(weights, run.client_states["a"])
    np.testing.assert_array_equal(known.trainable[1], run.client_states["a"]["personal"][0])
    fresh = kept.received(weights, run.algorithm.initial_client_state())
    np.testing.assert_array_equal(fresh.trainable[1], run.weights[1])

    algorithm = run.algorithm
    # What stays is not counted as sent.
    assert algorithm.models_up == pytest.approx(KERNEL / (KERNEL + CLASSES))
    assert algorithm.models_down == pytest.approx(KERNEL / (KERNEL + CLASSES))


NAMES = ["conv/kernel", "norm/gamma", "norm/beta", "block/attention_norm/gamma", "head/kernel"]


@pytest.mark.parametrize(
    ("spec", "found"), [("none", ()), ("head", (4,)), ("norm", (1, 2, 3)), ("regex:^conv", (0,))]
)
def test_layers_are_named_as_the_user_names_them(spec, found) -> None:
    assert personal_layers.positions(spec, NAMES, lambda: (4,)) == found


@pytest.mark.parametrize("spec", ["tail", "regex:(", "regex:^nothing", "regex:."])
def test_layers_nobody_has_or_all_are_refused(spec) -> None:
    with pytest.raises(UserError, match="--personal"):
        personal_layers.positions(spec, NAMES, lambda: ())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"client_update": "scaffold"}, "sends sums of every layer"),
        ({"dp_noise_multiplier": 1.0, "weighting": "uniform", "alignment": "none"}, "nobody sends"),
        ({"personal_steps": 1, "client_momentum": 0.5}, "needs plain steps"),
    ],
)
def test_updates_that_send_every_layer_are_refused(settings, why) -> None:
    config = {"clients_per_round": 3, "population": 6, "population_rows": 20, **settings}
    with pytest.raises(UserError, match=why):
        check(ResolvedAlgorithm(personal="head", **config))
