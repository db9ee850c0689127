import dataclasses
from pathlib import Path

import pytest

from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig, WorkConfig
from fed_pretrain.experiment.assembly.run_subject import run_subject
from fed_pretrain.experiment.assembly.session import shared
from fed_pretrain.probes import baselines


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


def subject_of(assembly, epochs):
    options = baselines.BaselineOptions(epochs=epochs)
    return run_subject(assembly, Path("unused"), settings={baselines.BaselineOptions: options})


def test_one_table_compares_what_a_start_gives_without_federation(assembly):
    subject = dataclasses.replace(
        subject_of(assembly, epochs=3), snapshots=[(0, lambda: None)], sent=lambda: (700, 300)
    )
    content = baselines.compared(subject)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == [
        "start",
        "start, fine-tuned by each client",
        "central",
        "one-pass head (ridge), 0 rounds",
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
    one_pass = rows["one-pass head (ridge), 0 rounds"]
    assert one_pass["accuracy"] > 0.7 > rows["start"]["accuracy"]
    # Each of the clients sends the sums of 10 classes and a triangle of 288 x 288 numbers.
    assert one_pass["bytes_up"] / content["clients"] > 4 * 288 * 289 / 2
    assert one_pass["accuracy_worst_decile"] <= one_pass["accuracy_mean"]
    assert rows["central"]["bytes_down"] == 0
    # Pooled are 1,437 rows of 8 x 8 bytes with a label of four.
    assert rows["central"]["bytes_up"] == 1437 * (64 + 4)
    for name in rows:
        assert name in baselines.table(content)


def test_fewer_clients_can_be_asked_for(assembly):
    subject = dataclasses.replace(subject_of(assembly, epochs=1), max_clients=2)
    content = baselines.compared(subject)
    assert content["clients"] == 2
    assert len(content["rows"]) == 4
