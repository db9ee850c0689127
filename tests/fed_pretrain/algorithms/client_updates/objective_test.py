"""Which objective the updates with client states converge to, on unequal clients.

All features are zero, so that the model is its biases, a client's loss is the cross-entropy of its
labels' shares, and the minimum is in closed form: the softmax of the biases is the mean share of
each label, over all rows or over all clients.
"""

import numpy as np
import pytest

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload
from tests.fed_pretrain.algorithms.toy import BATCH, CLASSES, FEATURES, Run

LABELS = {"p": [0, 0, 0, 1], "q": [2], "r": [1, 1, 0], "s": [2, 2]}
COHORTS = (("p", "q", "r"), ("s", "p"), ("q", "r", "s"), ("p", "q", "s"))
"""Their rows differ: a sum divided by those of its cohort would lead elsewhere."""
ROUNDS = 160


def shares(weighting: str) -> np.ndarray:
    own = {k: np.bincount(y, minlength=CLASSES) / len(y) for k, y in LABELS.items()}
    weights = [len(y) if weighting == "examples" else 1 for y in LABELS.values()]
    return np.average(list(own.values()), axis=0, weights=weights)


def full_batches(client: str, round_number: int) -> object:
    y = np.array(LABELS[client], np.int32)
    x = np.zeros((len(y), FEATURES), np.float32)
    return make_payload(x, y, LocalWork(BATCH, steps=8), 0, round_number, client)


@pytest.mark.parametrize("update", ["scaffold", "feddyn"])
@pytest.mark.parametrize("weighting", ["examples", pytest.param("uniform", marks=pytest.mark.slow)])
def test_the_fixed_point_minimises_the_objective_of_the_weighting(
    finished, executor, update, weighting
) -> None:
    settings = {} if weighting == "examples" else {"weighting": weighting}
    run = Run(finished(client_update=update, **settings).algorithm, executor)
    for number in range(1, ROUNDS + 1):
        cohort = COHORTS[number % len(COHORTS)]
        run.round(cohort, number, {c: full_batches(c, number) for c in cohort})
    powers = np.exp(run.weights[1].astype(np.float64))
    gradient = powers / powers.sum() - shares(weighting)
    assert np.abs(gradient).max() < 1e-4
    assert np.abs(shares("examples") - shares("uniform")).max() > 0.05
