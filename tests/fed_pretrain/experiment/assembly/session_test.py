"""Runs that differ in data, seed and rates use one compiled program, and end with its bits."""

import dataclasses

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.assembly import session as session_module
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from tests.fed_pretrain.experiment.small_runs import same_weights, small


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    settings = {"source": "digits", "num_clients": 8, "partition": "dirichlet"}
    paths = [str(folder / str(seed)) for seed in (0, 1)]
    for seed, path in enumerate(paths):
        prepare(PrepareConfig(output=path, seed=seed, workers=1, **settings))
    return paths


def test_other_data_seeds_and_rates_run_on_the_same_program(tmp_path, datasets):
    session, alone = Session(), Session()

    def run(name, dataset, using, **changes):
        return train(small(tmp_path / name, dataset=dataset, **changes), using).workdir

    run("first", datasets[0], session)
    rate = (("client_learning_rate", 0.037),)
    after = run("after", datasets[1], session, seed=1, algorithm_settings=rate)
    fresh = run("fresh", datasets[1], alone, seed=1, algorithm_settings=rate)
    assert (after / "metrics.jsonl").read_text().count("\n") == 3
    assert same_weights(after, fresh, 2)
    programs = session.executor(ExecutorOptions())._programs
    assert len(programs) == 1


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        (
            {"weighting": "uniform", "dp_noise_multiplier": 0.3, "clients_per_round": 3},
            {"dp_noise_multiplier": 0.1, "dp_clip_norm": 0.5, "dp_delta": 1e-6, "seed": 4},
        ),
        ({"client_update": "scaffold", "population_rows": 9}, {"population_rows": 10}),
        ({"client_update": "feddyn", "population_rows": 9}, {"population_rows": 10}),
        ({"late_rounds": 2}, {"late_weight_power": 0.7, "clients_per_round": 5}),
    ],
)
def test_numbers_of_privacy_and_of_the_population_are_no_part_of_a_program(settings, numbers):
    one = ResolvedAlgorithm(population=6, **settings)
    same = dataclasses.replace(one, population=8, **numbers)
    key = session_module._compiled_of
    assert key(one) == key(same)
    assert key(one) != key(dataclasses.replace(same, weighting="examples", alignment="layers"))


class Constant(ClientUpdate):
    """As a plugin may be: it keeps what it took from the config."""

    def __init__(self, kept):
        self.kept = kept

    @classmethod
    def of(cls, config):
        return cls(config.dyn_alpha if config.rounds else [config.dyn_alpha])

    def work(self, training, server, client):
        raise NotImplementedError


def test_an_update_that_holds_a_constant_shares_no_program_of_another(monkeypatch):
    monkeypatch.setattr(known_updates, "named", lambda name: Constant)

    def key(**settings):
        return session_module._compiled_of(ResolvedAlgorithm(server_schedule="cosine", **settings))

    assert key(rounds=1, client_learning_rate=0.1) == key(rounds=2, client_learning_rate=0.2)
    assert key(rounds=1, dyn_alpha=0.1) != key(rounds=1, dyn_alpha=0.2)
    assert key(dyn_alpha=0.1) != key(dyn_alpha=0.1)  # a list cannot be compared
    assert key(rounds=1, head_learning_rate=0.0) != key(rounds=1)
