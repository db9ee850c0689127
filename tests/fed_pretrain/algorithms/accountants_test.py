"""Spent privacy against closed forms, published values and another library's accountants."""

import functools
import itertools
import math
import re
from pathlib import Path
from typing import Any

import dp_accounting
import numpy as np
import pytest
from scipy import stats

from fed_pretrain.algorithms import accountants, correlation
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import sampling

ROOT = Path(__file__).resolve().parents[3]


def epsilon(
    how: str, num: int, population: int, rounds: int, noise: float = 1.0, **more: Any
) -> float:
    config = ResolvedAlgorithm(
        dp_noise_multiplier=noise,
        sampling=how,
        clients_per_round=num,
        population=population,
        **more,
    )
    return _accountant(config).epsilon(rounds)


_accountant = functools.cache(accountants.accountant)


def spent_delta(epsilon: float, mu: float) -> float:
    """Balle and Wang 2018, theorem 8."""
    above, below = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    return float(stats.norm.cdf(above) - math.exp(epsilon) * stats.norm.cdf(below))


@pytest.mark.parametrize("how", ["all", "fixed", "weighted"])
@pytest.mark.parametrize(("rounds", "noise"), [(1, 4.0), (3, 1.0), (50, 8.0)])
def test_without_sampling_the_composition_is_one_gaussian_mechanism(how, rounds, noise) -> None:
    spent = epsilon(how, 4, 14, rounds, noise)
    # A replaced client moves each sum by up to twice the clip norm.
    assert spent_delta(spent, 2 * math.sqrt(rounds) / noise) == pytest.approx(1e-5, rel=1e-6)


def test_the_exact_composition_lies_just_below_renyis() -> None:
    renyi = dp_accounting.rdp.RdpAccountant()
    renyi.compose(dp_accounting.GaussianDpEvent(0.5), 3)
    assert renyi.get_epsilon(1e-5) == pytest.approx(21.44, abs=0.01)
    assert 0.9 < epsilon("all", 14, 14, 3) / renyi.get_epsilon(1e-5) < 1.0


# DP-SGD on MNIST at a batch of 256 and delta 1e-5, as the tutorial of tensorflow_privacy and
# Bu et al. 2020 publish it: by the moments accountant, and by their central limit.
@pytest.mark.parametrize(
    ("noise", "epochs", "moments", "limit"), [(1.1, 60, 3.01, 2.32), (0.7, 45, 7.10, 5.07)]
)
def test_poisson_samples_spend_what_is_published_of_dp_sgd(noise, epochs, moments, limit) -> None:
    steps = epochs * 60000 // 256
    mu = 256 / 60000 * math.sqrt(steps * math.expm1(noise**-2))
    assert accountants.gaussian_epsilon(mu, 1e-5) == pytest.approx(limit, abs=0.01)
    assert limit < epsilon("poisson", 256, 60000, steps, noise) < min(1.15 * limit, moments)


# The table of tensorflow_privacy's tutorials/README.md: the moments accountant's bounds.
@pytest.mark.parametrize(
    ("noise", "epochs", "moments"), [(1.12, 60, 2.92), (0.6, 30, 9.74), (1.2, 10, 1.20)]
)
def test_poisson_samples_spend_somewhat_less_than_the_moments_accountant_publishes(
    noise, epochs, moments
) -> None:
    spent = epsilon("poisson", 256, 60000, epochs * 60000 // 256, noise)
    assert 0.65 * moments < spent < 0.82 * moments


def test_one_poisson_sample_has_the_closed_form_of_its_mixture() -> None:
    rate, spent = 0.1, epsilon("poisson", 10, 100, 1)
    likely = math.log((math.exp(spent) - 1 + rate) / rate) + 0.5
    without, with_client = stats.norm.sf(likely), stats.norm.sf(likely - 1)
    delta = (1 - rate) * without + rate * with_client - math.exp(spent) * without
    assert delta == pytest.approx(1e-5, rel=0.01)


def test_a_coarse_grid_overstates_the_poisson_epsilon_by_less_than_a_percent() -> None:
    fine = dp_accounting.pld.PLDAccountant(value_discretization_interval=1e-4)
    sampled = dp_accounting.PoissonSampledDpEvent(0.01, dp_accounting.GaussianDpEvent(1.0))
    fine.compose(sampled, 100)
    assert 1.0 <= epsilon("poisson", 10, 1000, 100) / fine.get_epsilon(1e-5) < 1.01


def test_everyone_in_a_poisson_sample_is_the_gaussian_mechanism_of_one_client_more() -> None:
    spent = epsilon("poisson", 20, 20, 9, noise=3.0)
    assert spent_delta(spent, 1.0) == pytest.approx(1e-5, rel=0.01)


def test_cohorts_drawn_without_replacement_have_renyis_bound_of_wang_and_others() -> None:
    # Theorem 27 at order 2: 1 + q^2 min(4 (e^r - 1), 2 e^r) with r = 2 / (2 sigma^2).
    config = ResolvedAlgorithm(
        dp_noise_multiplier=1.0, clients_per_round=10, population=1000, sampling="uniform"
    )
    made = _accountant(config)
    renyi = 2 / (2 * 0.5**2)
    at_two = math.log1p(0.01**2 * min(4 * math.expm1(renyi), 2 * math.exp(renyi)))
    assert made._renyi_of_a_round[accountants._ORDERS.index(2.0)] == pytest.approx(at_two)
    assert epsilon("uniform", 10, 1000, 100) == pytest.approx(11.21, abs=0.01)


def test_the_epsilons_on_the_page_are_those_of_the_accountants() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", page, re.MULTILINE)
    assert {how for how, _ in shown} == set(sampling.WAYS)
    for how, text in shown:
        assert f"{epsilon(how, 10, 1000, 100):.2f}" == text, how


def test_amplification_is_only_taken_where_it_helps() -> None:
    assert epsilon("uniform", 13, 14, 3) == epsilon("all", 13, 14, 3)
    assert epsilon("uniform", 10, 1000, 3) < epsilon("all", 10, 1000, 3)


def test_no_sampling_is_never_reported_as_sampled() -> None:
    assert epsilon("fixed", 10, 1000, 100) == pytest.approx(284.4, abs=0.1)
    assert epsilon("uniform", 10, 1000, 100) < 12


def test_clients_in_turn_spend_by_their_turns() -> None:
    assert epsilon("in_turn", 10, 1000, 100) == epsilon("all", 1, 1, 1)
    assert epsilon("in_turn", 10, 1000, 101) == epsilon("all", 1, 1, 2)
    # 25 clients by 10: the gap is 2 or 3 rounds, and 2 is what counts.
    assert epsilon("in_turn", 10, 25, 3) == epsilon("all", 1, 1, 2)


def test_nothing_done_spends_nothing_and_no_noise_protects_nothing() -> None:
    for how in sampling.WAYS:
        assert epsilon(how, 4, 14, 0) == 0
        assert epsilon(how, 4, 14, 1, noise=0.0) == math.inf


def test_every_way_of_sampling_has_an_accountant_or_is_refused() -> None:
    for how, noise in itertools.product(sampling.WAYS, ("independent", "correlated")):
        config = ResolvedAlgorithm(dp_noise_multiplier=1.0, sampling=how, dp_noise=noise)
        refused = accountants.refusals(config)
        assert bool(refused) == (
            noise == "correlated" and how in ("uniform", "poisson", "weighted")
        )


def _matrix(bands: int, rounds: int) -> np.ndarray:
    """C, by inverting the banded matrix of shares."""
    shares = correlation.shares(bands)
    inverse = np.zeros((rounds, rounds))
    for back, share in enumerate(shares[:rounds]):
        inverse += share * np.eye(rounds, k=-back)
    return np.linalg.inv(inverse)


def test_all_bands_are_the_root_of_the_sum_over_rounds() -> None:
    root = _matrix(8, 8)
    assert np.allclose(root @ root, np.tril(np.ones((8, 8))))
    assert np.allclose(correlation.column(3, 8), _matrix(3, 8)[:, 0])


@pytest.mark.parametrize(("bands", "apart"), [(1, 1), (3, 1), (3, 2), (8, 3), (8, 9)])
def test_the_sensitivity_is_that_of_the_worst_turns(bands, apart) -> None:
    matrix = _matrix(bands, 8)
    worst = max(
        float(np.sum(matrix[:, list(turns)].sum(axis=1) ** 2))
        for count in range(1, 9)
        for turns in itertools.combinations(range(8), count)
        if all(b - a >= apart for a, b in itertools.pairwise(turns))
    )
    assert correlation.squared_sensitivity(bands, 8, apart) == pytest.approx(worst)


def test_correlated_noise_spends_by_its_restarts() -> None:
    settings = {"dp_noise": "correlated", "dp_noise_bands": 4}
    once = np.sum(_matrix(4, 10)[:, 0] ** 2)
    part = np.sum(_matrix(4, 5)[:, 0] ** 2)
    spent = epsilon("in_turn", 3, 30, 25, noise=2.0, **settings)
    assert spent_delta(spent, math.sqrt(2 * once + part)) == pytest.approx(1e-5, rel=1e-6)
    one_band = epsilon("in_turn", 3, 30, 25, dp_noise="correlated", dp_noise_bands=1)
    assert one_band == epsilon("in_turn", 3, 30, 25)


def test_correlated_noise_beats_independent_noise_on_sums_over_rounds() -> None:
    """Its reason to be: at one epsilon, the sum of a pass's updates has less noise."""
    rounds, bands = 64, ResolvedAlgorithm().dp_noise_bands
    shares = np.pad(correlation.shares(bands), (0, rounds - bands))
    noise_of_sum = np.cumsum(shares)  # of all rounds, by its draws
    correlated = correlation.squared_sensitivity(bands, rounds, rounds) * (noise_of_sum**2).sum()
    assert correlated < 0.1 * rounds
