"""Against the Dirichlet's own moments, conservation, and NumPy where NumPy is sound."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data_prep.partitions import dirichlet
from data_prep.partitions.dirichlet import PerClass, PerClient, log_space_dirichlet
from data_prep.partitions.partition_config import PartitionConfig
from groundwork import randomness

LABELS = load_digits().target
HISTOGRAM = np.bincount(LABELS)


def config(**settings: object) -> PartitionConfig:
    return PartitionConfig(rule="dirichlet", **settings)  # type: ignore[arg-type]


def counts(clients: np.ndarray, labels: np.ndarray, number: int) -> np.ndarray:
    table = np.zeros((number, 10), np.int64)
    np.add.at(table, (clients, labels), 1)
    return table


def test_draws_have_the_dirichlets_mean_and_variance() -> None:
    concentration = np.array([0.3, 1.0, 2.7])
    draws = log_space_dirichlet(
        randomness.generator(0, "test"), np.broadcast_to(concentration, (40_000, 3))
    )
    total = concentration.sum()
    mean = concentration / total
    variance = mean * (1 - mean) / (total + 1)
    assert np.allclose(draws.mean(axis=0), mean, atol=0.01)
    assert np.allclose(draws.var(axis=0), variance, atol=0.005)


@pytest.mark.parametrize("alpha", [1e-300, 1e-12, 1e-3, 1e3, 1e12])
def test_no_alpha_gives_nan_or_shares_that_do_not_add_up(alpha: float) -> None:
    draws = log_space_dirichlet(randomness.generator(1, "test"), np.full((500, 7), alpha))
    assert np.isfinite(draws).all()
    assert np.allclose(draws.sum(axis=1), 1)
    if alpha < 1e-6:
        assert np.allclose(draws.max(axis=1), 1)  # One label each, each label for some.
        assert set(draws.argmax(axis=1)) == set(range(7))


def test_a_label_that_does_not_exist_gets_no_share() -> None:
    draws = log_space_dirichlet(randomness.generator(1, "t"), np.array([0.5, 0.0, 0.5]))
    assert draws[1] == 0


@pytest.mark.parametrize("alpha", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("clients", [1, 7, 100, 1797])
def test_per_client_deals_every_example_once_and_equal_sizes(alpha: float, clients: int) -> None:
    dealt = PerClient(config(num_clients=clients, alpha=alpha), HISTOGRAM).deal(LABELS, "train")
    sizes = np.bincount(dealt, minlength=clients)
    assert sizes.sum() == 1797
    assert sizes.max() - sizes.min() <= 1


def test_per_client_mixes_follow_alpha_times_the_pooled_shares() -> None:
    settings = config(num_clients=2000, alpha=5.0)
    mixes = PerClient(settings, HISTOGRAM)._mixes
    shares = HISTOGRAM / HISTOGRAM.sum()
    assert np.allclose(mixes.mean(axis=0), shares, atol=0.01)
    assert np.allclose(mixes.var(axis=0), shares * (1 - shares) / 6, atol=0.003)
    each = PerClient(config(num_clients=2000, alpha=5.0, concentration="each"), HISTOGRAM)
    assert np.allclose(each._mixes.var(axis=0), shares * (1 - shares) / 51, atol=0.001)


def test_small_alpha_gives_clients_few_labels_and_large_alpha_gives_them_all() -> None:
    few, many = (
        counts(
            PerClient(config(num_clients=30, alpha=alpha), HISTOGRAM).deal(LABELS, "train"),
            LABELS,
            30,
        )
        for alpha in (0.01, 1000.0)
    )
    assert (few > 0).sum(axis=1).mean() < 3
    assert (many > 0).sum(axis=1).mean() > 9


@pytest.mark.parametrize("alpha", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("minimum", [0, 1, 10])
def test_per_class_reaches_the_minimum_within_the_attempts_allowed(
    alpha: float, minimum: int
) -> None:
    settings = config(num_clients=50, alpha=alpha, dirichlet="per_class", minimum_size=minimum)
    dealer = PerClass(settings, HISTOGRAM)
    dealt = dealer.deal(LABELS, "train")
    assert np.bincount(dealt, minlength=50).min() >= minimum
    assert len(dealt) == 1797
    assert dealer.report["attempts"] <= dirichlet.ATTEMPTS


@pytest.mark.parametrize("seed", range(6))
def test_the_deviation_is_the_share_of_examples_whose_label_had_run_out(seed: int) -> None:
    labels = np.repeat([0, 1], 40)
    dealer = PerClient(config(num_clients=2, alpha=1e-9, seed=seed), np.array([40, 40]))
    wanted = dealer._mixes.argmax(axis=1)
    dealer.deal(labels, "train")
    # Each wants one label only. Where both want the same, the second gets the other.
    expected = 0.5 if wanted[0] == wanted[1] else 0.0
    assert dealer.report["mean_deviation"] == {"train": expected}


def test_the_deviation_counts_a_label_that_runs_out_in_a_clients_turn() -> None:
    dealer = PerClient(config(num_clients=1), np.array([3, 1]))
    dealer._mixes = np.array([[0.0, 1.0]])
    dealer.deal(np.array([0, 0, 0, 1]), "train")
    assert dealer.report["mean_deviation"] == {"train": 0.75}


def test_the_three_laws_are_named_apart_and_give_the_labels_a_client_they_did() -> None:
    labels = np.repeat(np.arange(10), 500)
    pool = np.bincount(labels)
    dealers = [
        PerClient(config(num_clients=100), pool),
        PerClient(config(num_clients=100, concentration="each"), pool),
        PerClass(config(num_clients=100, dirichlet="per_class"), pool),
    ]
    assert [dealer.report["law"] for dealer in dealers] == [
        "the label mix of each client ~ Dir(0.1 p), p the pooled label shares",
        "the label mix of each client ~ Dir(0.1 C p), p the pooled shares of C = 10 labels",
        "the shares of each label among clients ~ Dir(0.1)",
    ]
    tables = [counts(dealer.deal(labels, "train"), labels, 100) for dealer in dealers]
    assert [(table > 0).sum(axis=1).mean() for table in tables] == [1.36, 3.31, 3.67]


def test_per_class_cuts_each_label_by_its_own_shares() -> None:
    dealer = PerClass(config(num_clients=8, dirichlet="per_class", alpha=1.0), HISTOGRAM)
    table = counts(dealer.deal(LABELS, "train"), LABELS, 8)
    expected = dealer._shares.T * HISTOGRAM
    assert np.abs(table - expected).max() < 3
    assert np.array_equal(table.sum(axis=0), HISTOGRAM)


@pytest.mark.parametrize("kind", ["per_client", "per_class"])
def test_the_test_split_has_the_mixes_of_the_training_split(kind: str) -> None:
    settings = config(num_clients=5, dirichlet=kind, alpha=0.5)
    dealer = (
        PerClient(settings, HISTOGRAM) if kind == "per_client" else PerClass(settings, HISTOGRAM)
    )
    train, test = (counts(dealer.deal(LABELS, split), LABELS, 5) for split in ("train", "test"))
    assert np.corrcoef(train.ravel(), test.ravel())[0, 1] > 0.9


def test_seeds_differ_and_repeat() -> None:
    def dealt(seed: int) -> list[int]:
        settings = config(num_clients=9, seed=seed)
        return PerClient(settings, HISTOGRAM).deal(LABELS, "train").tolist()

    assert dealt(1) == dealt(1)
    assert dealt(1) != dealt(2)


def test_moving_to_the_minimum_takes_from_the_largest_only() -> None:
    clients = np.array([0] * 90 + [1] * 10)
    moved = dirichlet.move_to_minimum(clients, 4, 5, randomness.generator(0, "test"))
    assert moved == 10
    assert np.bincount(clients).tolist() == [80, 10, 5, 5]
