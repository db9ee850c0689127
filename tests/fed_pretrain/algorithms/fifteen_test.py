"""The paper's fifteen combinations each train the embedded digits (slow: fifteen processes)."""

import numpy as np
import pytest

from fed_pretrain.algorithms import compose, known_algorithms
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.sampling import cohort
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.tasks import known_tasks

pytestmark = pytest.mark.slow
ROUNDS = 8


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    from data_prep.preparing.preparation import PrepareConfig, prepare

    output = str(tmp_path_factory.mktemp("digits") / "dataset")
    return known_tasks.load("digits", prepare(PrepareConfig(source="digits", output=output)))


@pytest.mark.parametrize("update", ["sgd", "proximal", "nova", "mimelite", "gd"])
@pytest.mark.parametrize(
    "server", [{}, {"server_momentum": 0.9}, {"server_optimizer": "adam"}], ids=["sgd", "m", "adam"]
)
def test_the_combination_lowers_the_loss_of_digits(digits, executor, update, server) -> None:
    given = {"client_update": update, **server}
    if update == "mimelite" and "server_optimizer" in server:
        # Adam's direction has entries of size one, so local steps are as long as Adam's own.
        given |= {"client_learning_rate": 0.003, "server_learning_rate": 1.0}
    if update == "mimelite" and "server_momentum" in server:
        given |= {"client_learning_rate": 0.01}  # Momentum makes local steps ten times as long.
    reader = digits.reader("train")
    asked = known_algorithms.resolve(None, "digits", "random", given)
    size = len(reader.client_ids)
    config = asked.of_run(clients_per_round=4, population=size, rounds=ROUNDS, seed=0, releases=0)
    algorithm = compose.build(config, digits.model_fn(), digits.payload_spec(16), digits.objective)
    state = executor.initialize(algorithm.process)
    losses = []
    for number in range(1, ROUNDS + 1):
        clients = [
            ClientInput(c, reader.bind(c, LocalWork(16), 0, number))
            for c in cohort(reader.client_ids, 4, 0, number)
        ]
        output = executor.run_round(algorithm, state, clients)
        state = output.state
        losses.append(digits.summarise(algorithm.train_sums(output.metrics))["loss"])
    assert np.mean(losses[-2:]) < 0.95 * losses[0], losses
