"""Local steps of every optimizer against NumPy, its state fresh in each round or kept."""

import numpy as np
import pytest

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.refusals import check
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import COHORTS, batches, flat, grad, start_weights

BETA1, BETA2, EPSILON, DECAY = 0.8, 0.95, 1e-3, 0.05


class Adaptive:
    """Adam, AdamW and Yogi as their papers print them."""

    def __init__(self, kind: str) -> None:
        self.kind, self.m, self.v, self.t = kind, 0.0, 0.0, 0

    def __call__(self, y: np.ndarray, g: np.ndarray) -> np.ndarray:
        if self.kind != "adamw":
            g = g + DECAY * y
        self.t += 1
        self.m = BETA1 * self.m + (1 - BETA1) * g
        if self.kind == "yogi":
            self.v = self.v - (1 - BETA2) * np.sign(self.v - g * g) * g * g
        else:
            self.v = BETA2 * self.v + (1 - BETA2) * g * g
        m, v = self.m / (1 - BETA1**self.t), self.v / (1 - BETA2**self.t)
        step = m / (np.sqrt(v) + EPSILON)
        return y - oracle.ETA * (step + (DECAY * y if self.kind == "adamw" else 0.0))


class Momentum:
    def __init__(self) -> None:
        self.v = 0.0

    def __call__(self, y: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.v = 0.7 * self.v + g
        return y - oracle.ETA * self.v


def averaged(make, kept: bool) -> np.ndarray:
    x, optimizers = flat(start_weights()), {}
    for number, clients in enumerate(COHORTS, 1):
        deltas = []
        for client in clients:
            optimizer = optimizers.get(client) if kept else None
            optimizers[client] = optimizer = optimizer or make()
            y = x
            for batch in batches(client, number):
                y = optimizer(y, grad(y, *batch))
            deltas.append(x - y)
        x = x - oracle.mean(deltas, oracle.sizes(clients))
    return x


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("adamw", "kept"),
        pytest.param("adam", "fresh", marks=pytest.mark.slow),
        pytest.param("adam", "kept", marks=pytest.mark.slow),
        pytest.param("yogi", "fresh", marks=pytest.mark.slow),
    ],
)
def test_adaptive_steps_are_the_papers(finished, kind, state) -> None:
    run = finished(
        client_optimizer=kind,
        client_optimizer_state=state,
        client_beta1=BETA1,
        client_beta2=BETA2,
        client_epsilon=EPSILON,
        client_weight_decay=DECAY,
    )
    expected = averaged(lambda: Adaptive(kind), state == "kept")
    assert np.abs(flat(run.weights) - expected).max() < 1e-5


@pytest.mark.slow
def test_a_kept_velocity_goes_on_in_the_clients_next_round(finished) -> None:
    run = finished(client_momentum=0.7, client_optimizer_state="kept")
    assert np.abs(flat(run.weights) - averaged(Momentum, True)).max() < 1e-5
    assert np.abs(averaged(Momentum, True) - averaged(Momentum, False)).max() > 1e-3


def test_defaults_follow_the_optimizer_and_what_is_given_stays() -> None:
    def settings(**given):
        return known_algorithms.resolve(None, "digits", "random", given)

    assert settings(client_optimizer="momentum").client_momentum == 0.9
    assert settings(client_optimizer="momentum", client_momentum=0.5).client_momentum == 0.5
    assert settings(client_optimizer="adam").client_learning_rate == 1e-3
    assert settings(client_optimizer="adam", client_learning_rate=0.5).client_learning_rate == 0.5


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"client_optimizer": "lion"}, "lion is not one of sgd, momentum, adam"),
        ({"client_optimizer": "adam", "client_momentum": 0.5}, "has --client_beta1"),
        ({"client_optimizer": "adam", "client_update": "scaffold"}, "control variates"),
        ({"client_optimizer": "yogi", "client_update": "nova"}, "normaliser"),
        ({"client_optimizer_state": "kept"}, "no state to keep"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, why) -> None:
    with pytest.raises(UserError, match=why):
        check(ResolvedAlgorithm(clients_per_round=3, population=6, population_rows=20, **settings))
