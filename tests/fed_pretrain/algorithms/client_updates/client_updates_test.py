"""Two rounds of every client update against NumPy, with clients of unequal size and work."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload
from fed_pretrain.executors.executor import ClientInput
from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import (
    BATCH,
    Run,
    build,
    flat,
    payload,
    rows,
    start_weights,
)

TOLERANCE = 1e-5


def assert_equal(run, expected) -> None:
    assert np.abs(flat(run.weights) - expected).max() < TOLERANCE


def test_sgd_is_weighted_averaging(finished) -> None:
    assert_equal(finished(), oracle.averaged(oracle.ServerSgd()))


def test_uniform_weighting_forgets_sizes(finished) -> None:
    run = finished(weighting="uniform")
    assert_equal(run, oracle.averaged(oracle.ServerSgd(), uniform=True))
    assert np.abs(flat(run.weights) - flat(finished().weights)).max() > 1e-3


def test_local_momentum_decay_and_clipping(finished) -> None:
    run = finished(client_momentum=0.7, client_weight_decay=0.05, client_clip_norm=0.4)
    expected = oracle.averaged(oracle.ServerSgd(), momentum=0.7, decay=0.05, clip=0.4)
    assert_equal(run, expected)


def test_proximal_pulls_towards_the_received_weights(finished) -> None:
    run = finished(client_update="proximal", proximal_strength=0.5)
    assert_equal(run, oracle.proximal(0.5))


@pytest.mark.parametrize(("momentum", "strength"), [(0.0, 0.0), (0.6, 0.0), (0.0, 0.5)])
def test_nova_divides_by_the_papers_normaliser(finished, momentum, strength) -> None:
    run = finished(client_update="nova", client_momentum=momentum, proximal_strength=strength)
    assert_equal(run, oracle.nova(momentum, strength))


def test_nova_of_the_authors_reweighs_by_steps(finished) -> None:
    assert_equal(finished(client_update="nova_authors"), oracle.nova_authors())


def test_gd_takes_the_gradient_of_all_rows_once(finished) -> None:
    assert_equal(finished(client_update="gd"), oracle.gd(oracle.ServerSgd()))


def test_fedsgd_sums_the_gradients_of_batches(finished) -> None:
    assert_equal(finished(client_update="fedsgd"), oracle.fedsgd())


def test_mimelite_holds_the_servers_momentum_fixed(finished) -> None:
    run = finished(client_update="mimelite", server_momentum=0.8)
    assert_equal(run, oracle.mime(False, 0.8))


def test_mime_reduces_the_variance_with_the_cohorts_gradient(finished) -> None:
    run = finished(client_update="mime", server_momentum=0.8)
    assert_equal(run, oracle.mime(True, 0.8))


def test_mime_refuses_a_round_without_its_first_pass(finished, executor) -> None:
    run = Run(finished(client_update="mime", server_momentum=0.8).algorithm, executor)
    client = ClientInput("a", lambda: payload("a", 1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="first pass"):
        executor.run_round(run.algorithm, run.state, [client])


def test_mimes_first_pass_takes_restored_states(finished, executor) -> None:
    run = Run(finished(client_update="mime", server_momentum=0.8).algorithm, executor)
    client = ClientInput("a", lambda: payload("a", 1))
    restored = collections.OrderedDict(run.state._asdict())
    absorbed = run.algorithm.first_pass.run(executor, restored, [client])
    own = run.algorithm.first_pass.run(executor, run.state, [client])
    for one, other in zip(
        absorbed["client_work"]["rule"]["gradient"],
        own.client_work["rule"]["gradient"],
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_scaffold_keeps_control_variates_by_client(finished) -> None:
    run = finished(client_update="scaffold")
    weights, own = oracle.scaffold()
    assert_equal(run, weights)
    assert set(run.client_states) == {"a", "b", "c", "d"}
    for client, state in run.client_states.items():
        assert np.abs(flat(state["control"]) - own[client]).max() < TOLERANCE


def test_feddyn_keeps_gradients_by_client(finished) -> None:
    run = finished(client_update="feddyn", dyn_alpha=0.3)
    weights, own = oracle.feddyn(0.3)
    assert_equal(run, weights)
    for client, state in run.client_states.items():
        assert np.abs(flat(state["gradient"]) - own[client]).max() < TOLERANCE


@pytest.mark.parametrize("settings", [{"client_update": "proximal"}, {"client_update": "mimelite"}])
def test_without_its_own_term_the_update_is_fedavg(finished, settings) -> None:
    assert np.abs(flat(finished(**settings).weights) - flat(finished().weights)).max() < 1e-7


@pytest.mark.slow
def test_mimelite_without_momentum_is_fedavg_where_the_model_drops_out_too(executor) -> None:
    # It goes through the model twice, and only the local steps' masks may enter the result.
    results = {}
    for update in ("sgd", "mimelite"):
        config = ResolvedAlgorithm(client_update=update, alignment="none")
        run = Run(build(config, dropout=0.5), executor)
        run.round(("a", "b"), 1)
        results[update] = flat(run.weights)
    assert np.abs(results["sgd"] - results["mimelite"]).max() < 1e-7


def test_nova_with_equal_steps_is_fedavg(finished, executor) -> None:
    results = []
    for settings in ({}, {"client_update": "nova"}):
        run = Run(finished(**settings).algorithm, executor)
        run.round(("a", "b", "c"), 1, {c: _steps(c, 3) for c in ("a", "b", "c")})
        results.append(flat(run.weights))
    assert np.abs(results[0] - results[1]).max() < 1e-6


def test_scaffold_with_zero_controls_is_fedavg(finished, executor) -> None:
    results = []
    for settings in ({}, {"client_update": "scaffold"}):
        run = Run(finished(**settings).algorithm, executor)
        run.round(("a", "b", "c"), 1)
        results.append(flat(run.weights))
    assert np.abs(results[0] - results[1]).max() < 1e-7


def test_steps_without_a_row_move_nothing(finished, executor) -> None:
    """Momentum and weight decay would go on moving if such steps were taken."""
    settings = {"client_momentum": 0.7, "client_weight_decay": 0.05, "client_clip_norm": 0.4}
    results = []
    for blank in (0, 2):
        run = Run(finished(**settings).algorithm, executor)
        padded = payload("a", 1)
        empty = np.full([blank, BATCH], -1, np.int32)
        padded["order"] = np.concatenate([padded["order"], empty])
        run.round(("a", "b"), 1, {"a": padded, "b": payload("b", 1)})
        results.append(flat(run.weights))
    assert np.array_equal(*results)


@pytest.mark.parametrize("update", ["sgd", "nova", "mimelite", "scaffold", "gd", "nova_authors"])
def test_a_client_without_steps_or_with_a_broken_update_counts_for_nothing(
    finished, executor, update
) -> None:
    settings = {"client_update": update}
    if update == "mimelite":
        settings["server_momentum"] = 0.8
    algorithm = finished(**settings).algorithm
    alone, mixed = Run(algorithm, executor), Run(algorithm, executor)
    alone.round(("b",), 1)
    idle, broken = payload("a", 1), payload("c", 1)
    idle["order"] = idle["order"][:0]
    broken["x"] = np.full_like(broken["x"], np.inf)
    mixed.round(("a", "b", "c"), 1, {"a": idle, "b": payload("b", 1), "c": broken})
    assert np.abs(flat(alone.weights) - flat(mixed.weights)).max() < 1e-7
    sums = algorithm.train_sums(mixed.metrics[0])
    assert (sums["clients"], sums["nonfinite"], sums["examples"]) == (1, 1, 9)
    assert np.isfinite(sums["loss_sum"])


@pytest.mark.parametrize("update", ["mimelite", "mime"])
@pytest.mark.parametrize("value", [np.inf, 1e30])
def test_a_broken_full_gradient_is_left_out_with_the_whole_client_and_poisons_nothing(
    finished, executor, update, value
) -> None:
    algorithm = finished(client_update=update, server_momentum=0.8).algorithm
    alone, mixed = Run(algorithm, executor), Run(algorithm, executor)
    broken = payload("a", 1)
    # The local steps end before they reach the row that is not finite; the full gradient does not.
    # Of 1e30 the gradient is finite, and a momentum of that length would break all other clients.
    broken["order"] = broken["order"][:1]
    (unused,) = set(range(5)) - set(broken["order"][0])
    broken["x"] = broken["x"].copy()
    broken["x"][unused] = value
    alone.round(("b",), 1)
    mixed.round(("a", "b"), 1, {"a": broken, "b": payload("b", 1)})
    sums = algorithm.train_sums(mixed.metrics[0])
    assert (sums["clients"], sums["nonfinite"]) == (1, 1)
    assert np.abs(flat(alone.weights) - flat(mixed.weights)).max() < 1e-7
    for run in (alone, mixed):
        run.round(("b", "d"), 2)
    assert np.abs(flat(alone.weights) - flat(mixed.weights)).max() < 1e-7
    assert algorithm.train_sums(mixed.metrics[1])["nonfinite"] == 0


def test_a_client_state_that_overflows_is_left_out(finished, executor) -> None:
    """A huge alpha makes FedDyn's client state infinite although its update is finite."""
    run = Run(finished(client_update="feddyn", dyn_alpha=1e30).algorithm, executor)
    first = payload("b", 1)
    first["order"] = first["order"][:1]
    first["x"] = first["x"] * 1e12
    output = run.round(("b",), 1, {"b": first})
    assert run.algorithm.train_sums(output.metrics)["nonfinite"] == 1
    assert not np.any(flat(run.client_states["b"]["gradient"]))


def test_a_round_nobody_finished_moves_nothing(finished, executor) -> None:
    run = Run(finished().algorithm, executor)
    idle = payload("a", 1)
    idle["order"] = idle["order"][:0]
    run.round(("a",), 1, {"a": idle})
    assert np.array_equal(flat(run.weights), flat(start_weights()))


def test_training_sums_are_those_of_the_steps_taken(finished) -> None:
    run = finished()
    sums = run.algorithm.train_sums(run.metrics[0])
    assert sums["examples"] == 5 + 9 + 3
    assert sums["count"] == sums["scored"] == 2 * 5 + 9 + 3 * 3
    assert sums["steps"] == 2 * 2 + 3 + 3
    assert sums["clients"] == 3


def _steps(client: str, steps: int) -> dict:
    return make_payload(*rows(client), LocalWork(BATCH, steps=steps), 0, 1, client)
