"""A run with privacy says what it spent and by which accountant, and writes nothing else exact."""

import itertools
import json
import types
from pathlib import Path
from typing import Any

import pytest

from fed_pretrain.algorithms import accountants
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients import sampling
from fed_pretrain.experiment.assembly import private_run
from fed_pretrain.experiment.assembly.run_config import ProbeConfig
from fed_pretrain.experiment.training.result import RunResult, summary
from fed_pretrain.experiment.training.run import train
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import small

CLIENTS = 14


def private(workdir: Path, work: dict[str, Any], **changes: Any) -> Any:
    settings = (("dp_noise_multiplier", 1.0),)
    return small(workdir, algorithm_settings=settings, work=work, **changes)


SEED = 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Four rounds of Poisson samples, of which the second has no client."""
    work = {"sampling": "poisson", "clients_per_round": 1, "rounds": 4}
    return train(private(tmp_path_factory.mktemp("private"), work, seed=SEED))


def spent(how: str, num: int, after: int) -> float:
    config = ResolvedAlgorithm(
        dp_noise_multiplier=1.0, sampling=how, clients_per_round=num, population=CLIENTS
    )
    return accountants.accountant(config).epsilon(after)


def test_every_round_has_its_epsilon(run) -> None:
    found = [row["dp_epsilon"] for row in run.rows[1:]]
    assert found == pytest.approx([spent("poisson", 1, number) for number in range(1, 5)])


def test_a_round_without_clients_adds_noise_all_the_same(run) -> None:
    config = json.loads((run.workdir / "config.json").read_text())["config"]
    ids = [str(number) for number in range(CLIENTS)]
    sizes = [
        len(sampling.cohort(ids, 1, config["seed"], number, "poisson")) for number in range(1, 5)
    ]
    distances = [row["distance_to_start"] for row in run.rows]
    moved = [b > a for a, b in itertools.pairwise(distances)]
    assert 0 in sizes
    assert all(moved)


def test_no_figure_of_training_clients_is_written(run) -> None:
    columns = set().union(*run.rows)
    assert not [c for c in columns if c.startswith("train_") or c == "examples"]
    # As many clients and bytes as planned, however many the draws brought.
    assert {row["clients"] for row in run.rows[1:]} == {1}
    assert len({row["bytes_up"] for row in run.rows[1:]}) == 1
    assert [p.name for p in (run.workdir / "probes").glob("*.json*")] == ["distances.json"]


@pytest.mark.parametrize(("noise", "kept"), [(1.0, ["distance"]), (None, ["drift", "distance"])])
def test_probes_that_read_clients_are_left_out(noise, kept) -> None:
    asked = types.SimpleNamespace(
        probes=ProbeConfig(probes="drift,distance"),
        algorithm=ResolvedAlgorithm(dp_noise_multiplier=noise),
    )
    assert [probe.name for probe in private_run.probes(asked)] == kept


def test_the_accountant_and_what_it_assumes_are_in_the_config_and_the_summary(run) -> None:
    saved = json.loads((run.workdir / "config.json").read_text())
    assert saved["privacy"]["neighbours"] == accountants.ADDED
    assert any("secret" in sentence for sentence in saved["privacy"]["assumes"])
    line = next(s for s in summary(run).splitlines() if "privacy" in s)
    assert f"epsilon {run.rows[-1]['dp_epsilon']:.2f} at delta 1e-05" in line
    assert saved["privacy"]["accountant"] in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evaluation": {"eval_cohort": True}}, "--eval_cohort"),
        ({"system": {"stragglers": "late", "deadline_steps": 3.0}}, "twice"),
        ({"system": {"varied_share": 0.3}}, "--varied_share"),
    ],
)
def test_what_would_leak_is_refused_before_anything_is_written(tmp_path, changes, reason) -> None:
    config = private(tmp_path / "run", {"sampling": "poisson"}, **changes)
    with pytest.raises(UserError, match=reason):
        train(config)
    assert not (tmp_path / "run").exists()
