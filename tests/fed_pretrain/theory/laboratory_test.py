"""The vectorised runs against a plain loop, the protocol's table, and the theory's promises."""

import numpy as np
import pytest

from fed_pretrain.theory import data, initial
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.decomposition import decompose
from fed_pretrain.theory.laboratory import Results, run
from fed_pretrain.theory.setting import Problem, Setting, averages, labels
from fed_pretrain.theory.training import train
from groundwork.errors import UserError
from tests.fed_pretrain.theory import oracle

SEEDS = range(5)
SIZES = Problem()
H = (0.5, 0.2, 0.0)
# The protocol's table (a): test error, Gamma of aligned and misaligned filters, train loss, P,
# misaligned share at the start of the last round; by (sigma_0, tau), then by h.
TABLE_A = {
    (0.01, 1): [
        (0.149, 0.403, 0.405, 0.078, 2.12, 0),
        (0.145, 0.407, 0.405, 0.078, 2.12, 0),
        (0.142, 0.407, 0.406, 0.078, 2.10, 0),
    ],
    (0.01, 20): [
        (0.155, 0.383, 0.383, 0.081, 2.10, 0),
        (0.154, 0.390, 0.370, 0.083, 2.08, 0),
        (0.184, 0.397, 0.240, 0.088, 2.08, 0),
    ],
    (0.01, 100): [
        (0.150, 0.331, 0.331, 0.116, 1.79, 0),
        (0.147, 0.336, 0.316, 0.122, 1.75, 0),
        (0.247, 0.338, 0.037, 0.140, 1.76, 0.41),
    ],
    (0.1, 1): [
        (0.239, 0.383, 0.383, 0.084, 1.65, 0.02),
        (0.228, 0.396, 0.397, 0.085, 1.66, 0.02),
        (0.230, 0.391, 0.394, 0.084, 1.67, 0.01),
    ],
    (0.1, 20): [
        (0.244, 0.369, 0.370, 0.089, 1.60, 0.04),
        (0.240, 0.383, 0.360, 0.091, 1.61, 0.03),
        (0.281, 0.383, 0.240, 0.094, 1.63, 0.11),
    ],
    (0.1, 100): [
        (0.259, 0.322, 0.322, 0.125, 1.38, 0.17),
        (0.271, 0.334, 0.272, 0.134, 1.38, 0.26),
        (0.329, 0.327, 0.127, 0.144, 1.38, 0.50),
    ],
}
# Table (b), tau = 100 over 10 rounds, sigma_0 = 0.1, by the aligned share: error, Gamma of aligned
# and misaligned filters, P, misaligned at the last round; at h = 0.5 and at h = 0.
TABLE_B = {
    0: [(0.208, np.nan, 0.682, 2.94, 0), (0.454, np.nan, 0.223, 3.26, 0.23)],
    0.25: [(0.188, 0.674, 0.672, 2.89, 0), (0.360, 0.732, 0.225, 3.13, 0.16)],
    0.5: [(0.157, 0.658, 0.659, 2.83, 0), (0.240, 0.692, 0.221, 2.96, 0.13)],
    0.75: [(0.128, 0.642, 0.643, 2.75, 0), (0.152, 0.657, 0.196, 2.80, 0.02)],
    1: [(0.114, 0.635, np.nan, 2.72, 0), (0.110, 0.637, np.nan, 2.71, 0)],
}


@pytest.fixture(scope="session")
def table_a() -> Results:
    settings = [Setting(h=h, tau=tau, sigma_0=sigma) for sigma, tau in TABLE_A for h in H]
    return run(SIZES, settings, SEEDS, records=[50, 100, 150, 200])


@pytest.fixture(scope="session")
def table_b() -> Results:
    settings = [
        Setting(h=h, tau=100, sigma_0=0.1, aligned=share) for share in TABLE_B for h in (0.5, 0.0)
    ]
    return run(Problem(steps=1000), settings, SEEDS, records=range(100, 1001, 100))


def test_every_cell_of_the_protocols_first_table_is_reproduced(table_a):
    expected = np.array([cell for row in TABLE_A.values() for cell in row])
    # 15000 test points: the standard error of an error rate is below .004.
    within = (0.006, 0.0016, 0.0016, 0.0012, 0.011, 0.011)
    assert (np.abs(_cells(table_a) - expected) <= within).all()


def test_every_cell_of_the_protocols_second_table_is_reproduced(table_b):
    expected = np.array([cell for row in TABLE_B.values() for cell in row])
    found = np.delete(_cells(table_b), 3, axis=1)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    within = (0.006, 0.0016, 0.0016, 0.011, 0.011)
    assert (np.nan_to_num(np.abs(found - expected)) <= within).all()
    losses = table_b.train_loss[..., -1].mean(axis=1)
    assert ((losses > 0.0195) & (losses < 0.0245)).all()


def _cells(results: Results) -> np.ndarray:
    fields = ("test_error", "gamma_aligned", "gamma_misaligned", "train_loss", "noise")
    last = [getattr(results, name)[..., -1] for name in (*fields, "misaligned_before")]
    none = np.isnan(np.stack(last)).all(axis=-1)
    return np.where(none, np.nan, np.nanmean(np.where(none[..., None], 0, last), axis=-1)).T


@pytest.mark.parametrize(
    ("h", "tau", "rounds", "aligned"), [(0.0, 5, 4, None), (0.2, 7, 3, 0.25), (0.5, 1, 20, 1.0)]
)
def test_the_vectorised_run_equals_the_plain_loop(h, tau, rounds, aligned):
    expected = oracle.run(3, h, tau, rounds, 0.05, aligned)
    problem = Problem(steps=tau * rounds)
    ours = Setting(h=h, tau=tau, sigma_0=0.05, aligned=aligned)
    other = Setting(h=0.5, tau=3, sigma_0=0.01)
    weights, decomposition, _ = _trained(problem, [other, ours], [9, 3])
    gamma, noise = (part.numpy()[-1, -1] for part in decomposition)
    for label, sign in enumerate((1, -1)):
        assert np.allclose(weights[-1, label], expected["weights"][sign], atol=1e-12)
        assert np.allclose(gamma[label], expected["gamma"][sign], atol=1e-12)
        assert np.allclose(np.moveaxis(noise[:, :, label], -1, 0), expected["p"][sign], atol=1e-10)
    results = run(problem, [other, ours], [9, 3])
    assert results.train_loss[1, 1, -1] == pytest.approx(expected["train_loss"], abs=1e-12)
    assert results.test_error[1, 1, -1] == oracle.error(expected)


def test_least_squares_on_the_weights_alone_find_the_tracked_coefficients():
    problem = Problem(steps=60)
    weights, decomposition, start = _trained(problem, [Setting(h=0.2, tau=20, sigma_0=0.1)], [0])
    gamma, noise = (part.numpy()[-1, 0] for part in decomposition)
    patches = data.draw(problem, 0).noise.reshape(-1, problem.dimension)
    mu = 1.5 * data.signals(problem)[0]
    for label, sign in enumerate((1.0, -1.0)):
        for r in range(problem.filters):
            found = oracle.least_squares(
                start[0, label, r], weights[0, label, r], patches, mu, sign
            )
            assert found[0] == pytest.approx(gamma[label, r], abs=1e-12)
            assert np.allclose(found[1], noise[:, :, label, r].ravel(), atol=1e-10)
            assert found[2] < 1e-13


def _trained(problem, settings, seeds):
    """Weights [run, class, filter, d] at the end, the decomposition, and the weights before."""
    draws = [data.draw(problem, seed) for seed in seeds]
    start = initial.weights(problem, settings, seeds, "float64")
    runs = make_runs(problem, settings, draws, start, "float64")
    trace = train(runs, np.array([problem.steps], np.int32), problem.algorithm)
    shape = (-1, problem.classes, problem.filters, problem.dimension)
    weights = trace.server[-1].numpy().reshape(shape)
    return weights, decompose(runs, trace.coefficients), start.reshape(shape)


def test_gamma_never_falls_and_aligned_filters_stay_aligned(table_a, table_b):
    for results in (table_a, table_b):
        assert results.growth.min() >= 0
        assert results.turned.max() == 0


@pytest.mark.parametrize("algorithm", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_coefficients_make_the_weights_to_rounding(algorithm, classes):
    problem = Problem(classes=classes, clients=3, filters=4, steps=40, algorithm=algorithm)
    settings = [Setting(h=h, tau=10, sigma_0=0.1, prox=0.5) for h in (0.0, 0.4)]
    results = run(problem, settings, [0, 1], records=[10, 20, 30, 40])
    assert results.reconstruction.max() < 1e-14
    assert results.growth.min() >= 0


def test_misaligned_filters_grow_at_least_by_the_derived_bound_of_the_aligned_ones():
    # One round from a start so small that the first local step crosses zero.
    taus = (2, 5, 10)
    for tau in taus:
        settings = [Setting(h=h, tau=tau, sigma_0=1e-5, eta=0.01) for h in (0, 0.1, 0.3, 0.5)]
        results = run(Problem(steps=tau), settings, SEEDS)
        for index, setting in enumerate(settings):
            ratio = results.gamma_misaligned[index].mean() / results.gamma_aligned[index].mean()
            assert ratio >= oracle.early_ratio_bound(setting.h, tau) - 0.02
            if setting.h == 0:
                assert ratio == pytest.approx(1 / tau, abs=0.02)
            if setting.h == 0.5:
                assert ratio == pytest.approx(1, abs=0.02)


def test_the_qualitative_outcome_of_the_theory(table_b):
    gamma, error = table_b.gamma_aligned[..., -1], table_b.test_error[..., -1].mean(axis=1)
    balanced, one_label = error[0::2], error[1::2]
    shares = list(TABLE_B)
    for index, share in enumerate(shares):
        if share:
            a, b = gamma[2 * index].mean(), gamma[2 * index + 1].mean()
            assert abs(b / a - 1) < 0.1
    damage = one_label - balanced
    assert (np.diff(damage) < 0).all()
    assert abs(damage[-1]) < 0.01


def test_with_three_orthogonal_labels_a_misaligned_filter_never_learns_its_signal():
    # With two labels y = -j shows -mu and pushes it back; here nothing else does.
    problem = Problem(classes=3, clients=3)
    results = run(problem, [Setting(h=h, tau=20, sigma_0=0.1) for h in (0.0, 0.6)], [0, 1])
    assert (results.gamma_misaligned == 0).all()
    assert (results.gamma_aligned > 0.1).all()
    assert np.allclose(results.misaligned[..., -1], 1 - results.aligned_share.mean(axis=-1))


def test_a_pre_trained_start_is_aligned_where_the_signal_is_correlated_and_not_where_opposed():
    settings = [
        Setting(h=0.0, tau=20, start=start, cosine=cosine, sigma_0=0.01)
        for start in ("central", "federated")
        for cosine in (1.0, 0.5, -1.0)
    ]
    results = run(Problem(), settings, [0, 1, 2])
    share = results.aligned_share.mean(axis=(1, 2))
    assert (share[[0, 3]] == 1).all()
    assert (share[[1, 4]] > 0.9).all()
    assert (share[[2, 5]] < 0.1).all()
    error = results.test_error[..., -1].mean(axis=1)
    assert error[0] < error[1] < error[2]


def test_alignment_by_count_turns_a_pre_trained_start_and_changes_nothing_else():
    settings = [Setting(start="central", cosine=0.5, aligned=a) for a in (None, 0.0, 0.3, 1.0)]
    left, none, some, every = initial.weights(SIZES, settings, [0, 1], "float64")
    signs = np.repeat([1.0, -1.0], SIZES.filters)
    for turned, count in ((none, 0), (some, 3), (every, 10)):
        assert np.array_equal(np.abs(turned), np.abs(left))
        assert np.array_equal(turned[..., 1:], left[..., 1:])
        aligned = turned[..., 0] * signs > 0
        assert (aligned.reshape(2, 2, -1).sum(axis=-1) == count).all()


def test_fedprox_without_its_term_and_scaffold_of_one_round_equal_fedavg():
    settings = [Setting(h=0.2, tau=20, sigma_0=0.1)]
    plain = run(Problem(steps=60), settings, [0, 1])
    prox = run(Problem(steps=60, algorithm="fedprox"), settings, [0, 1])
    assert np.allclose(prox.gamma_aligned, plain.gamma_aligned, atol=1e-14)
    first = run(Problem(steps=20), settings, [0, 1])
    scaffold = run(Problem(steps=20, algorithm="scaffold"), settings, [0, 1])
    assert np.allclose(scaffold.gamma_misaligned, first.gamma_misaligned, atol=1e-14)


def test_chunks_and_the_order_of_settings_change_nothing(monkeypatch):
    settings = [Setting(h=h, tau=tau) for h in (0.0, 0.5) for tau in (20, 1, 5)]
    whole = run(Problem(steps=20), settings, [0, 1])
    monkeypatch.setattr("fed_pretrain.theory.laboratory._CALL_BYTES", 400_000)
    parts = run(Problem(steps=20), settings[::-1], [0, 1])
    assert np.allclose(whole.test_error, parts.test_error[::-1])
    assert np.allclose(whole.noise, parts.noise[::-1], atol=1e-12)


def heterogeneity(client_labels):
    """The paper's h of two labels: (1/n) sum_k min(|D_+k|, |D_-k|)."""
    first = (client_labels == 0).sum(axis=1)
    return float(np.minimum(first, client_labels.shape[1] - first).sum() / client_labels.size)


def test_labels_are_exact_splits_with_balanced_totals():
    for h in (0.0, 0.1, 0.2, 0.5):
        found = labels(SIZES, h)
        assert heterogeneity(found) == h
        assert (found == 0).sum() == 10
    three = labels(Problem(classes=3, clients=3), 0.4)
    assert (np.bincount(three.ravel()) == 10).all()
    assert [(row == k).sum() for k, row in enumerate(three)] == [6, 6, 6]


def test_rounds_end_where_tau_says_and_at_the_last_step():
    assert np.flatnonzero(averages(4, 10)).tolist() == [3, 7, 9]
    assert np.flatnonzero(averages((5, 3, 2), 10)).tolist() == [4, 7, 9]


def test_mistakes_are_named():
    with pytest.raises(UserError, match="dimension is 3"):
        Problem(classes=3, dimension=3)
    with pytest.raises(UserError, match="start is 'warm'"):
        Setting(start="warm")
    with pytest.raises(UserError, match=r"h is 1\.5"):
        Setting(h=1.5)
