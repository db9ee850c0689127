"""The sums of a round against NumPy on the clients' updates."""

import numpy as np

from tests.fed_pretrain.algorithms import oracle
from tests.fed_pretrain.algorithms.toy import COHORTS, SIZES, Run, flat, payload, start_weights

KERNEL = slice(0, 18)


def expected(deltas: list[np.ndarray]) -> dict[str, float]:
    norms = [np.linalg.norm(d) for d in deltas]
    units = [d / n for d, n in zip(deltas, norms, strict=True)]
    return {
        "clients": len(deltas),
        "valid": len(deltas),
        "sum_norm": sum(norms),
        "sum_squared_norm": sum(n * n for n in norms),
        "max_norm": max(norms),
        "squared_norm_of_sum": np.sum(sum(deltas) ** 2),
        "squared_norm_of_unit_sum": np.sum(sum(units) ** 2),
    }


def updates(weights: np.ndarray, number: int, clients: tuple[str, ...]) -> list[np.ndarray]:
    return [oracle.local(weights, c, number)[0] for c in clients]


def test_sums_of_the_whole_and_of_layers_are_numpys(finished) -> None:
    run = finished(alignment="layers")
    wanted = expected(updates(flat(start_weights()), 1, COHORTS[0]))
    whole = run.algorithm.alignment(run.metrics[0])
    layers = run.algorithm.layer_alignment(run.metrics[0])
    assert list(layers) == ["head"]
    for name, value in wanted.items():
        assert np.isclose(whole[name], value, rtol=1e-5), name
        assert np.isclose(layers["head"][name], value, rtol=1e-5), name


def test_the_mean_pairwise_cosine_follows_from_the_sums(finished) -> None:
    run = finished(alignment="layers")
    deltas = updates(flat(start_weights()), 1, COHORTS[0])
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(deltas)
        for b in deltas[:i]
    ]
    sums = run.algorithm.alignment(run.metrics[0])
    n = sums["valid"]
    from_sums = (sums["squared_norm_of_unit_sum"] - n) / (n * (n - 1))
    assert np.isclose(from_sums, np.mean(cosines), atol=1e-6)


def test_consecutive_aggregates_are_compared_across_rounds(finished) -> None:
    run = finished(alignment="layers")
    x = flat(start_weights())
    aggregates = []
    for number, clients in enumerate(COHORTS, 1):
        mean = oracle.mean(updates(x, number, clients), [float(SIZES[c]) for c in clients])
        aggregates.append(mean)
        x = x - mean
    first, second = (run.algorithm.alignment(m) for m in run.metrics)
    assert first["previous_aggregate_norm"] == 0
    assert np.isclose(first["aggregate_norm"], np.linalg.norm(aggregates[0]), rtol=1e-5)
    assert np.isclose(
        second["aggregate_dot_previous"], aggregates[0] @ aggregates[1], rtol=1e-4, atol=1e-7
    )
    assert np.isclose(second["previous_aggregate_norm"], first["aggregate_norm"])


def test_measuring_changes_no_weight(finished) -> None:
    assert np.array_equal(flat(finished(alignment="layers").weights), flat(finished().weights))


def test_nova_is_measured_before_its_normalisation(finished, executor) -> None:
    run = finished(client_update="nova", alignment="whole")
    wanted = expected(updates(flat(start_weights()), 1, COHORTS[0]))
    sums = run.algorithm.alignment(run.metrics[0])
    for name, value in wanted.items():
        assert np.isclose(sums[name], value, rtol=1e-5), name
    assert run.algorithm.extra_columns(run.metrics[0])["tau_eff"] > 1


def test_clients_that_do_not_count_are_not_measured(finished, executor) -> None:
    algorithm = finished(alignment="layers").algorithm
    run = Run(algorithm, executor)
    broken = payload("c", 1)
    broken["x"] = np.full_like(broken["x"], np.nan)
    run.round(("a", "b", "c"), 1, {"a": payload("a", 1), "b": payload("b", 1), "c": broken})
    wanted = expected(updates(flat(start_weights()), 1, ("a", "b")))
    sums = algorithm.alignment(run.metrics[0])
    for name, value in wanted.items():
        assert np.isclose(sums[name], value, rtol=1e-5), name
