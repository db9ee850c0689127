"""What a run takes from its task where nothing was given."""

import pytest

from fed_pretrain.experiment.assembly import assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig, WorkConfig
from fed_pretrain.tasks import known_tasks
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature


@pytest.fixture
def task(tmp_path):
    """Three clients, fewer than the four that the task has in a round by default."""
    clients = miniature.photographs((8, 8, 1), 10, (3, 3, 3))
    features = miniature.images(8, 8, 1)
    dataset = miniature.write(tmp_path, features, {"train": clients, "test": clients})
    return known_tasks.load("digits", dataset)


def test_a_dataset_of_fewer_clients_than_the_tasks_default_takes_part_whole(task):
    assert task.defaults.clients_per_round == 4
    work = assemble._work(WorkConfig(), task)
    assert work.clients_per_round == 3
    assemble._check(RunConfig("digits", "w"), work, task)


def test_more_clients_than_there_are_is_refused_where_it_was_asked_for(task):
    work = assemble._work(WorkConfig(clients_per_round=4), task)
    with pytest.raises(UserError, match="--clients_per_round=4: the dataset has only 3 training"):
        assemble._check(RunConfig("digits", "w", work=work), work, task)
