"""A late update is computed from the model of the round that chose the client."""

import collections

import numpy as np
import pytest

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import uneven_work
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import (
    OBJECTIVE,
    Run,
    flat,
    model_fn,
    payload,
    payload_spec,
    start_weights,
)


def test_late_updates_begin_at_the_older_model_and_weigh_less(executor) -> None:
    config = ResolvedAlgorithm(
        late_rounds=2, alignment="none", client_schedule="warmup", warmup_rounds=2
    )
    algorithm = compose.build(
        config, model_fn, uneven_work.late_payload_spec(payload_spec()), OBJECTIVE
    )
    run = Run(algorithm, executor)
    chosen = [[("a", 0)], [("b", 0), ("c", 1)], [("a", 0), ("d", 2)]]
    history = [flat(start_weights())]
    for number, clients in enumerate(chosen, 1):
        payloads, deltas, weights = {}, [], []
        for client, lag in clients:
            payloads[client] = collections.OrderedDict(
                payload(client, number - lag), lag=np.int32(lag)
            )
            rate = min((number - lag) / 2, 1.0)
            oracle_rate = oracle.ETA * rate
            deltas.append(_local(history[number - 1 - lag], client, number - lag, oracle_rate))
            weights.append(len(payloads[client]["x"]) * (1 + lag) ** -0.5)
        run.round(tuple(payloads), number, payloads)
        history.append(history[-1] - oracle.mean(deltas, weights))
    assert np.abs(flat(run.weights) - history[-1]).max() < 1e-5


def test_a_payload_without_a_lag_is_refused() -> None:
    with pytest.raises(ValueError, match="lag"):
        compose.build(ResolvedAlgorithm(late_rounds=1), model_fn, payload_spec(), OBJECTIVE)


def _local(x, client, number, rate):
    y = x.copy()
    for batch in oracle.batches(client, number):
        y = y - rate * oracle.grad(y, *batch)
    return x - y
