"""Names, defaults, overrides and refusals."""

import pytest

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.errors import UserError

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
    assert set(known_algorithms.names()) >= ISSUE
    for name in known_algorithms.names():
        for start in ("random", "package:ndf"):
            config = known_algorithms.resolve(name, "digits", start)
            known_algorithms.check(config.of_run(population_rows=10))


def test_defaults_differ_by_start_and_take_the_authors_values_where_they_exist() -> None:
    random = known_algorithms.resolve("fedadam", "cifar10", "random")
    pretrained = known_algorithms.resolve("fedadam", "cifar10", "package:imagenet")
    assert (random.client_learning_rate, random.server_learning_rate) == (5.23e-2, 3.03e-3)
    assert (pretrained.client_learning_rate, pretrained.server_beta1) == (2.73e-3, 0.566)
    assert known_algorithms.origin("fedadam", "cifar10", "random") == known_algorithms.AUTHORS
    assert known_algorithms.origin("fedadam", "digits", "random") == known_algorithms.OURS


@pytest.mark.parametrize(
    ("algorithm", "start", "server_rate", "beta", "decay", "client_rate"),
    [
        ("fedadam", "package:imagenet", 5.60e-4, 0.566, 4.1e-5, 2.73e-3),
        ("fedadam", "random", 3.03e-3, 0.271, 6.2e-4, 5.23e-2),
        ("fedavgm", "package:imagenet", 0.488, 0.722, 5e-4, 1.69e-3),
        ("gd_adam", "package:imagenet", 4.79e-4, 0.716, 2.1e-5, 1.0),
        ("gd_adam", "random", 2.15e-4, 0.929, 1e-6, 1.0),
    ],
)
def test_the_authors_settings_are_those_of_their_published_code(
    algorithm: str, start: str, server_rate: float, beta: float, decay: float, client_rate: float
) -> None:
    config = known_algorithms.resolve(algorithm, "cifar10", start)
    momentum = config.server_momentum if algorithm == "fedavgm" else config.server_beta1
    assert (config.server_learning_rate, momentum) == (server_rate, beta)
    assert (config.server_weight_decay, config.client_learning_rate) == (decay, client_rate)


def test_what_nobody_asks_for_is_off_and_papers_constants_are_theirs() -> None:
    config = ResolvedAlgorithm()
    for name in (
        *("client_momentum", "client_weight_decay", "client_clip_norm", "proximal_strength"),
        *("server_momentum", "server_weight_decay", "server_initial_accumulator"),
        *("head_rounds", "personal_steps", "late_rounds", "warmup_rounds", "schedule_rounds"),
        *("schedule_final_factor", "schedule_step_rounds", "local_steps_every"),
        *("zeroing", "clipping", "secure_aggregation", "dp_restart_rounds"),
    ):
        assert not getattr(config, name), name
    for side in ("client", "server"):  # Kingma and Ba 2015.
        constants = [getattr(config, f"{side}_{name}") for name in ("beta1", "beta2", "epsilon")]
        assert constants == [0.9, 0.999, 1e-8]
    assert (config.server_learning_rate, config.local_steps_minimum) == (1.0, 1)
    assert (config.dp_clip_norm, config.dp_delta, config.late_weight_power) == (1.0, 1e-5, 0.5)


def test_the_users_settings_win() -> None:
    config = known_algorithms.resolve("fedadam", "cifar10", "random", {"server_learning_rate": 0.5})
    assert config.server_learning_rate == 0.5
    assert config.server_beta1 == 0.271


def test_parts_without_a_name_combine_with_fitting_rates() -> None:
    given = {"client_update": "nova", "server_optimizer": "adam"}
    config = known_algorithms.resolve(None, "digits", "random", given)
    named = known_algorithms.resolve("fedadam", "digits", "random")
    assert (config.client_update, config.server_optimizer) == ("nova", "adam")
    assert config.server_learning_rate == named.server_learning_rate
    assert known_algorithms.resolve(None, "digits", "random") == known_algorithms.resolve(
        "fedavg", "digits", "random"
    )


def test_parts_without_a_name_have_no_momentum_but_the_one_given() -> None:
    parts = {"client_update": "mimelite", "server_optimizer": "sgd"}
    assert known_algorithms.resolve("mimelite", "digits", "random").server_momentum > 0
    assert known_algorithms.resolve(None, "digits", "random", parts).server_momentum == 0
    given = known_algorithms.resolve(None, "digits", "random", {**parts, "server_momentum": 0.7})
    assert given.server_momentum == 0.7


@pytest.mark.parametrize("update", ["sgd", "proximal", "nova", "mimelite", "gd"])
@pytest.mark.parametrize(
    "server", [{}, {"server_momentum": 0.9}, {"server_optimizer": "adam"}], ids=str
)
def test_the_papers_fifteen_combinations_are_allowed(update, server) -> None:
    config = known_algorithms.resolve(None, "digits", "random", {"client_update": update, **server})
    known_algorithms.check(config.of_run())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="fedavgm"):
        known_algorithms.resolve("fedsomething", "digits", "random")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"client_update": "sgd", "proximal_strength": 0.1}, "proximal"),
        (
            {"client_update": "scaffold", "population_rows": 9, "client_momentum": 0.9},
            "control variates",
        ),
        ({"client_update": "scaffold"}, "rows of all training clients"),
        (
            {"client_update": "scaffold", "weighting": "uniform", "population_rows": 9},
            "number of all training clients",
        ),
        ({"client_update": "mimelite", "client_momentum": 0.9}, "held fixed"),
        ({"client_update": "gd", "client_weight_decay": 0.1}, "not part of gd"),
        ({"client_update": "feddyn", "population_rows": 9, "server_optimizer": "adam"}, "rescale"),
        ({"client_update": "feddyn", "population_rows": 9, "dyn_alpha": 0.0}, "divides by zero"),
        ({"client_update": "mimelite", "server_optimizer": "lamb"}, "no place"),
        ({"server_optimizer": "adam", "server_momentum": 0.9}, "server_beta1"),
        ({"client_update": "mime", "clipping": True}, "--clipping covers the mean update"),
        ({"client_update": "mimelite", "zeroing": True}, "--zeroing covers the mean update"),
        (
            {"client_update": "scaffold", "population_rows": 9, "zeroing": True, "clipping": True},
            "sums that scaffold takes beside",
        ),
        (
            {"client_update": "feddyn", "population_rows": 9, "secure_aggregation": True},
            "sums that feddyn takes beside",
        ),
        ({"secure_aggregation": True, "clients_per_round": 8389}, "lower --secure_bound"),
        (
            {"secure_aggregation": True, "clients_per_round": 4195, "late_rounds": 1},
            "lower --secure_bound",
        ),
        ({"client_update": "nova", "clipping": True}, "sums that nova takes beside"),
        ({"client_update": "nova", "secure_aggregation": True}, "sums that nova takes beside"),
        (
            {"secure_aggregation": True, "sampling": "poisson", "population": 8389},
            "8389 clients a round may add",
        ),
    ],
)
def test_nonsense_is_refused_with_its_reason(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        known_algorithms.check(ResolvedAlgorithm(**settings))


PRIVATE = {
    "dp_noise_multiplier": 1.0,
    "weighting": "uniform",
    "alignment": "none",
    "clients_per_round": 5,
    "population": 9,
}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weighting": "examples"}, "bounds each client alike"),
        ({"alignment": "whole"}, "alignment sums"),
        ({"client_update": "mimelite"}, "leak"),
        ({"client_update": "nova"}, "leak"),
        ({"clipping": True}, "adapt to norms"),
        ({"late_rounds": 1}, "count twice"),
        ({"dp_delta": 0.0}, "between 0 and 1"),
        ({"clients_per_round": 10}, "numbers of clients"),
        ({"dp_noise": "correlated"}, "use fixed or in_turn or all"),
        ({"dp_noise": "correlated", "sampling": "poisson"}, "no bound is known"),
        ({"dp_noise": "correlated", "sampling": "all"}, "give --dp_restart_rounds"),
    ],
)
def test_what_would_undo_privacy_is_refused_with_its_reason(settings, reason) -> None:
    known_algorithms.check(ResolvedAlgorithm(**PRIVATE))
    with pytest.raises(UserError, match=reason):
        known_algorithms.check(ResolvedAlgorithm(**{**PRIVATE, **settings}))


def test_privacy_alone_brings_what_it_needs() -> None:
    for name in ("fedavg", "fedadam", "fedprox"):
        config = known_algorithms.resolve(name, "digits", "random", {"dp_noise_multiplier": 1.0})
        known_algorithms.check(config.of_run(clients_per_round=5, population=9))


def test_secure_sums_hold_as_many_clients_as_their_range_has_room_for() -> None:
    settings = {"secure_aggregation": True, "clients_per_round": 8388}
    known_algorithms.check(ResolvedAlgorithm(**settings))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weighting": "rows"}, "not one of"),
        ({"client_learning_rate": -1.0}, "at least"),
        ({"server_beta1": 1.0}, "below 1"),
    ],
)
def test_a_value_out_of_range_names_its_flag(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        ResolvedAlgorithm(**settings)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"client_update": "sgdd"}, "--client_update=sgdd is not one of sgd, proximal"),
        ({"server_optimizer": "adm"}, "--server_optimizer=adm is not one of sgd, adam"),
    ],
)
def test_an_unknown_part_is_refused_with_the_known_ones(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        known_algorithms.resolve(None, "digits", "random", settings)
    with pytest.raises(UserError, match=reason):
        known_algorithms.check(ResolvedAlgorithm(**settings))


def test_the_table_has_a_full_row_for_each_name() -> None:
    header, *rows = known_algorithms.describe().splitlines()
    columns = len(header.split("  ")) and [c for c in header.split("  ") if c.strip()]
    assert len(rows) == len(known_algorithms.names())
    for row in rows:
        assert len([c for c in row.split("  ") if c.strip()]) == len(columns)
