"""Rounds as Beam pipelines: levels, retries, order."""

import functools
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest

from fed_pretrain.executors.beam import beam_worker
from fed_pretrain.executors.beam.beam_executor import BeamExecutor, _Exchange
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork.errors import UserError
from groundwork.stores import store
from tests.fed_pretrain.executors import digits
from tests.fed_pretrain.executors.device.device_executor_test import _scaled_sums

PRISM = pathlib.Path(__file__).resolve().parents[4] / ".cache" / "engines" / "bin" / "prism"


def test_a_map_over_bundles_comes_in_cohort_order(beam, device):
    clients = digits.clients(1)
    found = list(beam.map_clients(_scaled_sums, np.float32(2), clients))
    expected = list(device.map_clients(_scaled_sums, np.float32(2), clients))
    assert found == expected
    assert beam.sum_clients(_scaled_sums, np.float32(2), clients) == device.sum_clients(
        _scaled_sums, np.float32(2), clients
    )


def test_totals_depend_on_the_cohort_order_alone():
    updates = [(i, beam_worker.Worked([np.float32(x)], 0.0)) for i, x in enumerate((1e8, 1, -1e8))]
    sums = beam_worker.Sums()
    totals = {
        float(beam_worker.in_order(sums.accumulate, order).values[0])
        for order in (updates, updates[::-1], [updates[1], updates[0], updates[2]])
    }
    assert len(totals) == 1


def test_a_bundle_done_twice_changes_nothing(beam, tmp_path):
    """Each client fails once after its data was read, as on a lost machine; the rest is redone."""
    made = digits.algorithm()
    state = digits.start(beam, made)
    calm = beam.run_round(made, state, digits.clients(1))
    flaky = [
        ClientInput(c.client_id, functools.partial(_fails_once, c.read, tmp_path / c.client_id))
        for c in digits.clients(1)
    ]
    failures = 0
    for _ in range(len(flaky) + 1):
        try:
            again = beam.run_round(made, state, flaky)
            break
        except Exception as error:
            failures += "lost machine" in str(error)
    assert 1 <= failures <= len(flaky)
    assert digits.difference(calm.state, again.state) == 0


def test_the_fixed_cost_of_a_round_is_told(beam):
    made = digits.algorithm()
    output = beam.run_round(made, digits.start(beam, made), digits.clients(1))
    assert 0 < output.seconds["engine"] < output.seconds["total"]


def test_clients_that_cannot_be_sent_are_refused(beam):
    made = digits.algorithm()
    clients = [ClientInput("here", lambda: digits.payload("ada", 1))]
    with pytest.raises(UserError, match="cannot be pickled"):
        beam.run_round(made, digits.start(beam, made), clients)


def test_a_users_mistake_on_a_worker_comes_back_as_one_sentence(beam):
    made = digits.algorithm()
    clients = [ClientInput("broken", _damaged)]
    with pytest.raises(UserError, match=r"^shard 3 is damaged$"):
        beam.run_round(made, digits.start(beam, made), clients)


def test_what_no_worker_could_do_is_refused():
    with pytest.raises(UserError, match="--devices=GPU: --executor=beam works on CPUs only"):
        create(ExecutorOptions(executor="beam", devices="GPU"))
    with pytest.raises(UserError, match="--jit: Beam workers run plain kernels"):
        create(ExecutorOptions(executor="beam", jit=True))
    lost = BeamExecutor(ExecutorOptions(executor="beam", runner="Nowhere"))
    with lost, pytest.raises(UserError, match="--runner=Nowhere: Beam cannot make it"):
        lost.sum_clients(_scaled_sums, np.float32(1), digits.clients(1))
    nobody = "--job_endpoint=localhost:9 --job_server_timeout=1 --environment_type=LOOPBACK"
    options = ExecutorOptions(executor="beam", runner="PortableRunner", runner_options=nobody)
    with BeamExecutor(options) as silent, pytest.raises(UserError, match="it does not answer"):
        silent.sum_clients(_scaled_sums, np.float32(1), digits.clients(1))


@pytest.mark.slow
def test_half_precision_reaches_the_workers(beam, device):
    made = digits.algorithm()
    options = ExecutorOptions(executor="beam", mixed_precision=True)
    with (
        BeamExecutor(options) as half,
        DeviceExecutor(ExecutorOptions(mixed_precision=True)) as here,
    ):
        found, expected = digits.train(half, made, 1), digits.train(here, made, 1)
    assert digits.difference(found.weights, expected.weights) < 1e-6
    assert digits.difference(found.weights, digits.train(beam, made, 1).weights) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("PortableRunner", "--job_endpoint=embed --environment_type=LOOPBACK"),
        pytest.param(
            "PrismRunner",
            f"--prism_location={PRISM}",
            marks=pytest.mark.skipif(not PRISM.exists(), reason="`make engines` installs it"),
        ),
    ],
)
def test_an_engine_gives_the_bytes_of_the_runner_in_memory(beam, device, runner, options):
    """A round, and a sum over clients as a product with the Hessian is one."""
    options = ExecutorOptions(executor="beam", fan_out=2, runner=runner, runner_options=options)
    made = digits.algorithm(client_update="scaffold")
    with BeamExecutor(options) as engine:
        served = digits.train(engine, made, 1)
        total = engine.sum_clients(_scaled_sums, np.float32(2), digits.clients(1))
    in_memory = digits.train(beam, made, 1)
    assert digits.difference(served.state, in_memory.state) == 0
    assert digits.difference(served.client_states, in_memory.client_states) == 0
    assert total == device.sum_clients(_scaled_sums, np.float32(2), digits.clients(1))


@pytest.mark.slow
def test_two_worker_processes_give_the_bytes_of_one(beam, tmp_path):
    options = "--direct_num_workers=2 --direct_running_mode=multi_processing"
    two = BeamExecutor(
        ExecutorOptions(executor="beam", fan_out=2, runner_options=options, exchange=str(tmp_path))
    )
    made = digits.algorithm(client_update="scaffold")
    one_process = digits.train(beam, made, 1)
    two_processes = digits.train(two, made, 1)
    two.close()
    assert digits.difference(one_process.state, two_processes.state) == 0
    assert digits.difference(one_process.client_states, two_processes.client_states) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("many", [False, True])
def test_results_pass_through_a_store_as_through_a_folder(beam, tmp_path, monkeypatch, many):
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path))
    options = ExecutorOptions(executor="beam", fan_out=2, exchange="memory://bucket/exchange")
    with BeamExecutor(options) as through:
        work = (_scaled_sums, np.float32(2), digits.clients(1))
        if many:
            assert list(through.map_clients(*work)) == list(beam.map_clients(*work))
        else:
            assert through.sum_clients(*work) == beam.sum_clients(*work)
    assert store.listing("memory://bucket/exchange") == {}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def _damaged() -> Any:
    raise UserError("shard 3 is damaged")


def _fails_once(read: Any, mark: pathlib.Path) -> Any:
    payload = read()
    if not mark.exists():
        mark.touch()
        raise RuntimeError("lost machine")
    return payload


@pytest.mark.parametrize("named", [False, True])
def test_a_killed_drivers_folder_is_removed_by_the_next_round(named, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from groundwork import owners; print(owners.mark())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    name = f"{'round-' if named else 'fed-pretrain-beam-'}{dead.stdout.strip()}-1"
    (tmp_path / name).mkdir()
    exchange = str(tmp_path) if named else ""
    with _Exchange(ExecutorOptions(executor="beam", exchange=exchange)) as running:
        assert [path.name for path in tmp_path.iterdir()] == [pathlib.Path(running._folder).name]
    assert list(tmp_path.iterdir()) == []
