"""Names, defaults, overrides and refusals."""

import dataclasses

import pytest

from data_prep.errors import UserError
from fed_pretrain.algorithms import registry
from fed_pretrain.algorithms.config import AlgorithmConfig

ISSUE = {
    "fedavg",
    "fedavgm",
    "fedadam",
    "fedyogi",
    "fedadagrad",
    "fedprox",
    "fednova",
    "mimelite",
    "scaffold",
    "feddyn",
    "fedsgd",
}


def test_the_usual_names_are_there_and_valid() -> None:
    assert set(registry.names()) >= ISSUE
    for name in registry.names():
        for start in ("random", "package:ndf"):
            config = registry.resolve(name, "digits", start)
            registry.check(dataclasses.replace(config, population=10))


def test_defaults_differ_by_start_and_take_the_authors_values_where_they_exist() -> None:
    random = registry.resolve("fedadam", "cifar10", "random")
    pretrained = registry.resolve("fedadam", "cifar10", "package:imagenet")
    assert (random.client_learning_rate, random.server_learning_rate) == (5.23e-2, 3.03e-3)
    assert (pretrained.client_learning_rate, pretrained.server_beta1) == (2.73e-3, 0.566)
    assert registry.origin("fedadam", "cifar10", "random") == registry.AUTHORS
    assert registry.origin("fedadam", "digits", "random") == registry.OURS


def test_the_users_settings_win() -> None:
    config = registry.resolve("fedadam", "cifar10", "random", {"server_learning_rate": 0.5})
    assert config.server_learning_rate == 0.5
    assert config.server_beta1 == 0.271


def test_parts_without_a_name_combine_with_fitting_rates() -> None:
    given = {"client_update": "nova", "server_optimizer": "adam"}
    config = registry.resolve(None, "digits", "random", given)
    named = registry.resolve("fedadam", "digits", "random")
    assert (config.client_update, config.server_optimizer) == ("nova", "adam")
    assert config.server_learning_rate == named.server_learning_rate
    assert registry.resolve(None, "digits", "random") == registry.resolve(
        "fedavg", "digits", "random"
    )


def test_parts_without_a_name_have_no_momentum_but_the_one_given() -> None:
    parts = {"client_update": "mimelite", "server_optimizer": "sgd"}
    assert registry.resolve("mimelite", "digits", "random").server_momentum > 0
    assert registry.resolve(None, "digits", "random", parts).server_momentum == 0
    given = registry.resolve(None, "digits", "random", {**parts, "server_momentum": 0.7})
    assert given.server_momentum == 0.7


@pytest.mark.parametrize("update", ["sgd", "proximal", "nova", "mimelite", "gd"])
@pytest.mark.parametrize(
    "server", [{}, {"server_momentum": 0.9}, {"server_optimizer": "adam"}], ids=str
)
def test_the_papers_fifteen_combinations_are_allowed(update, server) -> None:
    config = registry.resolve(None, "digits", "random", {"client_update": update, **server})
    registry.check(config)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="fedavgm"):
        registry.resolve("fedsomething", "digits", "random")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"client_update": "sgd", "proximal_strength": 0.1}, "proximal"),
        (
            {"client_update": "scaffold", "population": 9, "client_momentum": 0.9},
            "control variates",
        ),
        ({"client_update": "scaffold"}, "number of training clients"),
        ({"client_update": "mimelite", "client_momentum": 0.9}, "held fixed"),
        ({"client_update": "gd", "client_weight_decay": 0.1}, "not part of gd"),
        ({"client_update": "feddyn", "population": 9, "server_optimizer": "adam"}, "rescale"),
        ({"client_update": "feddyn", "population": 9, "dyn_alpha": 0.0}, "divides by zero"),
        ({"client_update": "mimelite", "server_optimizer": "lamb"}, "no place"),
        ({"server_optimizer": "adam", "server_momentum": 0.9}, "server_beta1"),
        ({"dp_noise_multiplier": 1.0, "alignment": "none", "clients_per_round": 5}, "uniform"),
        (
            {"dp_noise_multiplier": 1.0, "weighting": "uniform", "clients_per_round": 5},
            "alignment",
        ),
        (
            {
                "dp_noise_multiplier": 1.0,
                "weighting": "uniform",
                "alignment": "none",
                "clients_per_round": 5,
                "client_update": "mimelite",
            },
            "leak",
        ),
    ],
)
def test_nonsense_is_refused_with_its_reason(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        registry.check(AlgorithmConfig(**settings))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"client_update": "sgdd"}, "not one of"),
        ({"client_learning_rate": -1.0}, "at least"),
        ({"server_beta1": 1.0}, "below 1"),
    ],
)
def test_a_value_out_of_range_names_its_flag(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        AlgorithmConfig(**settings)


def test_the_table_has_a_full_row_for_each_name() -> None:
    header, *rows = registry.describe().splitlines()
    columns = len(header.split("  ")) and [c for c in header.split("  ") if c.strip()]
    assert len(rows) == len(registry.names())
    for row in rows:
        assert len([c for c in row.split("  ") if c.strip()]) == len(columns)
