"""A client update is one class, known by its name, and its facts cost no TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from fed_pretrain.algorithms import known_algorithms, known_server_optimizers
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate, Outcome
from groundwork.errors import UserError
from tests.fed_pretrain.algorithms.toy import Run, build, flat


class Halved(ClientUpdate):
    name = "halved"
    paper = "nobody"
    help = "Local SGD, half of its update sent."
    algorithm = "fedhalf"

    def work(self, training, server, client) -> Outcome:
        training.descend()
        return Outcome([0.5 * d for d in training.delta()])


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_updates.KNOWN, "registered", {})
    known_updates.register(Halved)


def test_an_update_of_ones_own_runs_has_a_row_and_an_algorithm(halved, finished, executor) -> None:
    config = ResolvedAlgorithm(client_update="halved", alignment="none", clients_per_round=3)
    half, whole = Run(build(config), executor), Run(finished().algorithm, executor)
    moved = []
    for run in (half, whole):
        start = flat(run.weights)
        run.round(("a", "b"), 1)
        moved.append(flat(run.weights) - start)
    assert np.abs(moved[0] - 0.5 * moved[1]).max() < 1e-6
    assert known_algorithms.resolve("fedhalf", "digits", "random").client_update == "halved"
    assert "half of its update" in known_algorithms.describe_client_updates()


def test_a_name_is_taken_once(halved) -> None:
    known_updates.register(Halved)
    other = type("Other", (Halved,), {})
    with pytest.raises(UserError, match="already a client update named 'halved'"):
        known_updates.register(other)
    with pytest.raises(UserError, match="already a server optimizer named 'sgd'"):
        known_server_optimizers.register(
            known_server_optimizers.ServerOptimizer("sgd", "", lambda c, rate: None, adaptive=True)
        )


def test_every_optimizer_but_sgd_is_adaptive() -> None:
    adaptive = {
        n for n in known_server_optimizers.names() if known_server_optimizers.is_adaptive(n)
    }
    printed = {"adam_reddi", "yogi_reddi", "adagrad_reddi"}
    assert adaptive == {"adam", "yogi", "adagrad", "adamw", "lamb", "rmsprop"} | printed
    assert not known_server_optimizers.is_adaptive("somebody's")


def test_facts_and_refusals_cost_no_tensorflow() -> None:
    code = (
        "import sys; from fed_pretrain.algorithms import known_algorithms as k;"
        "k.check(k.resolve('mime', 'digits', 'random').of_run()); k.describe_client_updates();"
        "k.describe_server_optimizers(); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
