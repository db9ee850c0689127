import pytest

from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment import baseline_table
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig, WorkConfig
from fed_pretrain.experiment.assembly.session import shared
from fed_pretrain.experiment.workdir.checkpoints import ModelArrays


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    config = RunConfig(
        task="digits",
        workdir=str(tmp_path_factory.mktemp("unused")),
        algorithm_name="fedavg",
        work=WorkConfig(rounds=1, clients_per_round=3),
        executor=ExecutorOptions(clients_in_flight=2),
    )
    return assemble(config, shared())


def test_one_table_compares_what_a_start_gives_without_federation(assembly):
    start = ModelArrays(*assembly.start.weights)
    content = baseline_table.measure(assembly, start, (700, 300), epochs=3)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == [
        "start",
        "start, fine-tuned by each client",
        "central",
        "federated",
        "federated, fine-tuned by each client",
    ]
    # The "federated" model handed in is the start itself: its figures must be the start's.
    assert rows["federated"]["accuracy"] == rows["start"]["accuracy"]
    tuned = rows["start, fine-tuned by each client"]
    assert tuned["loss"] < rows["start"]["loss"]
    assert rows["central"]["accuracy"] > tuned["accuracy"]
    assert (rows["federated"]["bytes_down"], rows["federated"]["bytes_up"]) == (700, 300)
    assert tuned["bytes_up"] == 0
    assert rows["central"]["bytes_down"] == 0
    for name in rows:
        assert name in baseline_table.table(content)


def test_fewer_clients_can_be_asked_for(assembly):
    content = baseline_table.measure(assembly, None, (0, 0), epochs=1, max_clients=2)
    assert content["clients"] == 2
    assert len(content["rows"]) == 3
