"""A client's update by itself is what a round of that client alone moves the server by."""

import collections

import numpy as np
import pytest

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import uneven_work
from fed_pretrain.executors.executor import ClientInput
from tests.fed_pretrain.algorithms.toy import (
    OBJECTIVE,
    Run,
    flat,
    model_fn,
    payload,
    payload_spec,
    rows,
)

CLIENTS = ("c", "a")
RULES = (
    {"client_momentum": 0.7, "client_weight_decay": 0.05, "client_clip_norm": 0.4},
    {"client_update": "proximal", "proximal_strength": 0.5},
    {"client_update": "nova", "client_momentum": 0.6},
    {"client_update": "nova_authors"},
    {"client_update": "gd"},
    {"client_update": "fedsgd"},
    {"client_update": "mimelite", "server_momentum": 0.8},
    {"client_update": "mime", "server_momentum": 0.8},
    {"client_update": "scaffold"},
    {"client_schedule": "step", "schedule_step_rounds": 2, "schedule_step_factor": 0.25},
)


def third_round(run, executor):
    """The clients of a round after the two that are done, and the state they meet."""
    inputs = [
        ClientInput(
            name,
            lambda name=name: payload(name, 3),
            run.client_states.get(name, run.algorithm.initial_client_state()),
        )
        for name in CLIENTS
    ]
    state = run.state
    if run.algorithm.first_pass is not None:
        state = run.algorithm.first_pass.run(executor, state, inputs)
    return state, inputs


def alone(algorithm, executor, state, inputs):
    found = executor.map_clients(algorithm.one_client, algorithm.told(state), inputs)
    return [(flat(one["update"]), float(one["weight"])) for one in found]


@pytest.mark.parametrize("settings", RULES, ids=lambda s: s.get("client_update", "sgd"))
def test_a_round_of_one_client_moves_the_server_by_its_update(finished, executor, settings) -> None:
    run = finished(**settings)
    state, inputs = third_round(run, executor)
    for one, (update, weight) in zip(
        inputs, alone(run.algorithm, executor, state, inputs), strict=True
    ):
        after = executor.run_round(run.algorithm, state, [one]).state.global_model_weights
        moved = flat(state.global_model_weights.trainable) - flat(after.trainable)
        np.testing.assert_allclose(update, moved, atol=1e-6)
        assert np.linalg.norm(update) > 1e-3
        steps = len(one.read()["order"])
        examples = len(rows(one.client_id)[1])
        expected = (
            examples / steps if run.algorithm.config.client_update == "nova_authors" else examples
        )
        assert weight == pytest.approx(expected)


def test_feddyn_has_the_norm_that_its_alignment_sums_tell(finished, executor) -> None:
    run = finished(client_update="feddyn", alignment="whole")
    state, inputs = third_round(run, executor)
    for one, (update, _) in zip(inputs, alone(run.algorithm, executor, state, inputs), strict=True):
        metrics = executor.run_round(run.algorithm, state, [one]).metrics
        assert run.algorithm.alignment(metrics)["max_norm"] == pytest.approx(np.linalg.norm(update))


def test_a_late_client_begins_at_the_older_model(executor) -> None:
    config = ResolvedAlgorithm(late_rounds=1, alignment="none")
    spec = uneven_work.late_payload_spec(payload_spec())
    run = Run(compose.build(config, model_fn, spec, OBJECTIVE), executor)

    def late(name, number, lag):
        return collections.OrderedDict(payload(name, number - lag), lag=np.int32(lag))

    run.round(("b",), 1, {"b": late("b", 1, 0)})
    inputs = [ClientInput("a", lambda: late("a", 2, 1))]
    ((update, weight),) = alone(run.algorithm, executor, run.state, inputs)
    after = executor.run_round(run.algorithm, run.state, inputs).state.global_model_weights
    np.testing.assert_allclose(update, flat(run.weights) - flat(after.trainable), atol=1e-6)
    assert weight == pytest.approx(len(rows("a")[1]) / 2**0.5)
