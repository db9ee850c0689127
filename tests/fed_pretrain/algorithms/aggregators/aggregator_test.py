"""What stands around the update: privacy, compression, secure sums, robustness."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.algorithms.aggregators.aggregator import share_sent
from fed_pretrain.algorithms.aggregators.quantization import quantized
from fed_pretrain.algorithms.aggregators.secure_sum import decode, encode
from fed_pretrain.algorithms.algorithm_config import (
    SECURE_MODULUS,
    SECURE_RANGE,
    ResolvedAlgorithm,
)
from tests.fed_pretrain.algorithms.toy import (
    CLASSES,
    FEATURES,
    POPULATION,
    Run,
    build,
    flat,
    payload,
    start_weights,
)

PRIVATE = {"weighting": "uniform", "dp_clip_norm": 100.0}


def first_round(finished: Run, clients: tuple[str, ...] = ("a", "b", "c")) -> Run:
    """The algorithm of a finished run, one round from the start."""
    run = Run(finished.algorithm, finished.executor)
    run.round(clients, 1)
    return run


def difference(one: Run, other: Run) -> float:
    return float(np.abs(flat(one.weights) - flat(other.weights)).max())


def test_privacy_without_noise_and_clipping_is_the_uniform_mean(finished) -> None:
    private = finished(**PRIVATE, dp_noise_multiplier=0.0)
    assert difference(private, finished(weighting="uniform")) < 1e-6


def test_private_noise_has_its_deviation_and_repeats(finished, executor) -> None:
    settings = {**PRIVATE, "dp_noise_multiplier": 0.3}
    noisy = finished(**settings)
    again = Run(noisy.algorithm, executor)
    again.two_rounds()
    assert np.array_equal(flat(again.weights), flat(noisy.weights))
    first, silent = (
        Run(noisy.algorithm, executor),
        Run(finished(weighting="uniform").algorithm, executor),
    )
    for run in (first, silent):
        run.round(("a", "b", "c"), 1)
    noise = flat(first.weights) - flat(silent.weights)
    # 18 draws of deviation 0.3 * 100 / 3: their root mean square lies well within a factor 2.
    assert 5 < np.sqrt(np.mean(noise**2)) < 20


def test_the_spent_epsilon_is_a_column_and_grows(finished) -> None:
    run = finished(**PRIVATE, dp_noise_multiplier=0.3)
    spent = [run.algorithm.extra_columns(m)["dp_epsilon"] for m in run.metrics]
    assert 0 < spent[0] < spent[1]


def test_the_clip_norm_moves_to_the_quantile_of_080(finished) -> None:
    run = first_round(finished(clipping=True))
    # All three lie below the first norm of 1: it falls by a rate of 0.2 times the share in excess.
    norm, *_ = tf.nest.flatten(run.state.aggregator)
    assert norm == pytest.approx(np.exp(-0.2 * (1.0 - 0.8)), rel=1e-6)


def noise_of_rounds(executor, rounds: int, **settings) -> np.ndarray:
    """What rounds without clients move."""
    settings = {**PRIVATE, "population": 6, "clients_per_round": 3, **settings}
    run = Run(build(ResolvedAlgorithm(alignment="none", **settings)), executor)
    weights = [flat(run.weights)]
    for number in range(1, rounds + 1):
        run.round((), number, {})
        weights.append(flat(run.weights))
    return np.diff(weights, axis=0)


def test_correlated_noise_is_made_of_the_draws_of_its_rounds_and_begins_anew(executor) -> None:
    # The mean is over the clients that are planned: three of six, and all six.
    draws = noise_of_rounds(executor, 5, dp_noise_multiplier=1.0, sampling="fixed") * 3 / 6
    more = {"dp_noise": "correlated", "dp_noise_bands": 3, "dp_restart_rounds": 4}
    noise = noise_of_rounds(executor, 5, dp_noise_multiplier=1.0, sampling="all", **more)
    # The first coefficients of (1 - x)^(1/2); the fifth round is the first after a restart.
    kernels, biases = draws[:, :CLASSES], draws[:, FEATURES * CLASSES :]
    assert len(np.unique(np.concatenate([kernels, biases]).round(4), axis=0)) == 2 * len(draws)
    d = [1.0, -0.5, -0.125]
    expected = [sum(d[k] * draws[t - k] for k in range(min(t, 2) + 1)) for t in range(4)]
    assert np.abs(noise - np.array([*expected, draws[4]])).max() < 1e-4 * np.abs(draws).max()


@pytest.mark.parametrize(
    "settings",
    [
        {"compression": "quantize", "compression_bits": 1},
        pytest.param({"secure_aggregation": True}, marks=pytest.mark.slow),
    ],
)
def test_nothing_after_the_clipping_makes_an_update_longer(finished, settings) -> None:
    clip = {"dp_clip_norm": 0.01, "weighting": "uniform", "dp_noise_multiplier": 0.0}
    run = first_round(finished(**clip, **settings), ("a",))
    moved = np.linalg.norm(flat(run.weights) - flat(start_weights()))
    # One client of the three that a round plans for; float32 rounds to 1e-7.
    assert 0.99 < moved * 3 / 0.01 < 1.0 + 3e-7 * np.linalg.norm(flat(start_weights())) / 0.01


def test_private_rounds_report_no_exact_sums(finished) -> None:
    run = finished(**PRIVATE, dp_noise_multiplier=0.3)
    assert set(run.algorithm.extra_columns(run.metrics[0])) == {"dp_epsilon"}


def test_secure_sums_round_to_fixed_point(finished) -> None:
    assert 0 <= difference(finished(secure_aggregation=True), finished()) < 1e-6


def test_quantization_errs_by_less_than_its_steps_and_repeats(finished, executor) -> None:
    quantized = finished(compression="quantize")
    assert 0 < difference(quantized, finished()) < 0.05
    again = Run(quantized.algorithm, executor)
    again.two_rounds()
    assert difference(again, quantized) == 0
    assert quantized.algorithm.models_up == 0.25


def test_rounding_has_the_key_of_the_client_and_not_of_the_last_bit_of_its_update() -> None:
    update = tf.random.stateless_normal([500], [1, 2])
    nudged = update * (1.0 + 2e-7)
    key, other = (payload(client, 1)["key"] for client in ("a", "b"))
    (first,), (second,), (third,) = (
        quantized([u], k, 2) for u, k in ((update, key), (nudged, key), (update, other))
    )
    assert np.abs(first - second).max() < 1e-5
    assert np.abs(first - third).max() > 0.5


def test_rounding_has_no_bias_and_few_levels() -> None:
    update = tf.constant([0.0, 0.1, 0.4, 0.9, 1.0])
    drawn = quantized([tf.tile(update[None], [2000, 1])], [0, 1], 1)[0].numpy()
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert np.abs(drawn.mean(0) - update).max() < 0.04


@pytest.mark.parametrize(
    "update",
    ["nova", *(pytest.param(u, marks=pytest.mark.slow) for u in ("feddyn", "mimelite"))],
)
def test_many_bits_change_no_client_update(finished, update) -> None:
    exact = finished(client_update=update)
    assert (
        difference(
            finished(client_update=update, compression="quantize", compression_bits=22), exact
        )
        < 1e-5
    )


def test_alignment_is_of_the_updates_before_they_are_quantized(finished) -> None:
    coarse = finished(compression="quantize", compression_bits=1, alignment="whole")
    runs = (coarse, finished(alignment="whole"))
    sums = [run.algorithm.alignment(run.metrics[0]) for run in runs]
    assert sums[0]["sum_norm"] == pytest.approx(sums[1]["sum_norm"], rel=1e-6)
    assert sums[0]["aggregate_norm"] != pytest.approx(sums[1]["aggregate_norm"], rel=1e-3)


@pytest.mark.parametrize(
    ("update", "sent"),
    [("sgd", 0.25), ("feddyn", 0.25), ("scaffold", 1.25), ("mimelite", 1.25), ("mime", 1.25)],
)
def test_what_is_sent_beside_a_quantized_update_is_sent_whole(update, sent) -> None:
    facts = {"population": POPULATION, "population_rows": 30, "clients_per_round": 3}
    settings = {"client_update": update, **facts}
    algorithm = build(ResolvedAlgorithm(**settings, compression="quantize", alignment="none"))
    assert algorithm.models_up == sent


def test_a_secure_sum_sends_48_bits_a_value_and_a_quantized_update_its_own() -> None:
    shares = [
        share_sent(ResolvedAlgorithm(**settings))
        for settings in (
            {},
            {"secure_aggregation": True},
            {"compression": "quantize", "compression_bits": 4},
        )
    ]
    assert shares == [1.0, 1.5, 0.125]


def test_the_largest_sum_that_is_allowed_does_not_wrap() -> None:
    bound = 1000.0
    clients = int(SECURE_RANGE / bound)
    one = int(encode(tf.constant(bound), bound))
    assert float(decode(tf.constant(one * clients % SECURE_MODULUS))) == bound * clients
    assert float(decode(tf.constant(one * (clients + 1) % SECURE_MODULUS))) < 0


@pytest.mark.slow
def test_robust_aggregation_zeroes_an_absurd_update(finished, executor) -> None:
    robust = Run(finished(zeroing=True, clipping=True).algorithm, executor)
    absurd = payload("c", 1)
    absurd["x"] = absurd["x"] * 1e6
    for number in (1, 2, 3):
        robust.round(
            ("a", "b", "c"), number, {"a": payload("a", 1), "b": payload("b", 1), "c": absurd}
        )
    assert np.abs(flat(robust.weights)).max() < 10
    assert robust.algorithm.extra_columns(robust.metrics[-1])["zeroed_count"] == 1
