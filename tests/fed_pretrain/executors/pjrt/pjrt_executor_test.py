"""Client work in a worker with a current JAX: the results of `device`, and an end to every wait."""

import collections
import contextlib
import dataclasses
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from fed_pretrain.clients.payload import spec_of
from fed_pretrain.curvature import loss_operators
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.pjrt import device_worker, environment
from fed_pretrain.executors.pjrt.pjrt_executor import PjrtExecutor
from groundwork.errors import UserError
from tests.fed_pretrain.executors import digits
from tests.processes import still_running

BOUND = 1e-5
OPTIONS = ExecutorOptions(executor="pjrt", start_timeout=300)
needs_jax = pytest.mark.skipif(bool(environment.missing()), reason="needs `make pjrt`")


@tff.tensorflow.computation(np.float32, tff.SequenceType(tff.TensorType(np.float32, [None])))
def _scaled(scale: Any, data: Any) -> Any:
    rows = data.get_single_element()
    return collections.OrderedDict(total=scale * tf.reduce_sum(rows), rows=tf.size(rows))


def _vector(number: int) -> np.ndarray:
    return np.arange(3 + number % 2, dtype=np.float32) + number


def _vectors() -> list[ClientInput]:
    return [ClientInput(str(n), functools.partial(_vector, n)) for n in range(5)]


def _never_ends() -> Any:
    @tff.tensorflow.computation(np.int32, tff.SequenceType(np.int32))
    def forever(limit: Any, data: Any) -> Any:
        first = data.get_single_element()
        return tf.while_loop(lambda i: i < limit, lambda i: (i * 0 + first,), (tf.constant(0),))[0]

    return forever


def test_clients_are_mapped_in_their_order_and_summed_whatever_their_shapes(pjrt):
    totals = [2.0 * (sum(range(3 + n % 2)) + n * (3 + n % 2)) for n in range(5)]
    found = list(pjrt.map_clients(_scaled, np.float32(2), _vectors()))
    assert [(one["total"], one["rows"]) for one in found] == [
        (total, 3 + n % 2) for n, total in enumerate(totals)
    ]
    summed = pjrt.sum_clients(_scaled, np.float32(2), _vectors())
    assert (summed["total"], summed["rows"]) == (sum(totals), 17)


def test_client_work_that_iterates_a_dataset_is_refused(pjrt):
    @tff.tensorflow.computation(np.float32, tff.SequenceType(np.float32))
    def total(_: Any, data: Any) -> Any:
        return data.reduce(0.0, lambda a, b: a + b)

    with pytest.raises(UserError, match="--executor=pjrt: this client work iterates a dataset"):
        pjrt.sum_clients(total, np.float32(0), [ClientInput("a", lambda: np.float32(1))])


def test_what_xla_cannot_compile_is_refused(pjrt):
    @tff.tensorflow.computation(np.float32, tff.SequenceType(np.float32))
    def words(_: Any, data: Any) -> Any:
        return tf.strings.to_number(tf.strings.as_string(data.get_single_element()))

    with pytest.raises(UserError, match="XLA cannot compile this client work"):
        pjrt.sum_clients(words, np.float32(0), [ClientInput("a", lambda: np.float32(1))])


class _Digits:
    """What a curvature product asks of a task."""

    objective = digits.OBJECTIVE

    def model_fn(self, _: Any) -> Any:
        return digits.model_fn

    def payload_spec(self, batch_size: int | None) -> Any:
        image, label = tf.TensorSpec([None, 8, 8, 1], tf.uint8), tf.TensorSpec([None], tf.int32)
        return spec_of(image, label, batch_size)

    def statistics(self, labels: Any, logits: Any) -> Any:
        return digits.OBJECTIVE.statistics(labels, logits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", loss_operators.BY_KIND)
def test_products_of_curvature_agree(pjrt, device, kind):
    product = loss_operators.BY_KIND[kind]
    computation = loss_operators.curvature_computation(
        _Digits(), digits.build_model, (0, 1, 2, 3), product
    )
    generator = np.random.default_rng(1)
    weights = digits.start_weights()
    vector = [generator.normal(size=w.shape).astype(np.float32) for w in weights]
    model = tff.learning.models.ModelWeights(weights, [])
    value = collections.OrderedDict(weights=model, vector=vector)
    plain, found = (e.sum_clients(computation, value, digits.clients(1)) for e in (device, pjrt))
    largest = max(float(np.abs(part).max()) for part in plain["product"])
    assert largest > 1
    assert digits.difference(plain["product"], found["product"]) < BOUND * largest


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["", "--xla_force_host_platform_device_count=2"])
def test_two_devices_with_a_worker_each_give_the_sums_of_one(pjrt, on_device, monkeypatch, flags):
    """Whatever JAX calls a device; whole numbers add up in any order."""
    monkeypatch.setenv("XLA_FLAGS", flags)
    settings = digits.UPDATES["scaffold"]
    two = dataclasses.replace(OPTIONS, devices="CPU:0,CPU:1", clients_in_flight=1)
    value = np.float32(2)
    with create(two) as executor:
        assert isinstance(executor, PjrtExecutor)
        assert len(set(executor.worker_pids)) == 2
        sums, first = (e.sum_clients(_scaled, value, _vectors()) for e in (executor, pjrt))
        assert sums == first
        mapped, one = (list(e.map_clients(_scaled, value, _vectors())) for e in (executor, pjrt))
        assert mapped == one
        finished, reference = (
            digits.train(executor, digits.algorithm(**settings)),
            on_device(**settings),
        )
    assert digits.difference(finished.weights, reference.weights) < BOUND
    assert digits.difference(finished.client_states, reference.client_states) < BOUND


@pytest.mark.slow
def test_the_size_of_launches_changes_nothing_but_rounding(pjrt):
    made = digits.algorithm()
    first = digits.start(pjrt, made)
    whole = pjrt.run_round(made, first, digits.clients(1))
    pjrt._most = 1
    try:
        single = pjrt.run_round(made, first, digits.clients(1))
    finally:
        pjrt._most = 0
    weights = whole.state.global_model_weights, single.state.global_model_weights
    assert digits.difference(*weights) < 1e-6


@pytest.mark.slow
def test_a_profile_shows_the_programs_of_the_worker_and_ends_with_its_block(pjrt, tmp_path):
    for name in ("first", "second"):
        with pjrt.profiled(tmp_path / name):
            pjrt.sum_clients(_scaled, np.float32(2), _vectors())
        pjrt.sum_clients(_scaled, np.float32(2), _vectors())
        [written] = (tmp_path / name).rglob("*.xplane.pb")
        assert written.parents[2] == tmp_path / name / "CPU_0" / "plugins"
        planes = xplane_pb2.XSpace.FromString(written.read_bytes()).planes
        seen = {event.name for plane in planes for event in plane.event_metadata.values()}
        assert any("worker_main" in event and "run" in event for event in seen)


@pytest.mark.slow
def test_a_worker_killed_in_a_round_is_replaced_and_the_round_repeated(pjrt):
    value = np.float32(2)
    expected = pjrt.sum_clients(_scaled, value, _vectors())
    (first,) = pjrt.worker_pids
    os.kill(first, signal.SIGKILL)
    assert pjrt.sum_clients(_scaled, value, _vectors()) == expected
    assert pjrt.worker_pids != [first]
    assert still_running([first]) == []


@pytest.mark.slow
@needs_jax
def test_a_worker_that_always_dies_ends_the_round():
    with create(dataclasses.replace(OPTIONS, restarts=1)) as executor:
        assert isinstance(executor, PjrtExecutor)
        stop = threading.Event()

        def keep_killing() -> None:
            while not stop.wait(0.05):
                for pid in executor.worker_pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=keep_killing)
        killer.start()
        try:
            with pytest.raises(UserError, match=r"the worker of CPU:0 .* died by signal 9"):
                executor.sum_clients(_scaled, np.float32(2), _vectors())
        finally:
            stop.set()
            killer.join()


@pytest.mark.slow
@needs_jax
def test_a_round_that_never_ends_is_ended_and_its_worker_named():
    with create(dataclasses.replace(OPTIONS, round_timeout=5.0)) as executor:
        assert isinstance(executor, PjrtExecutor)
        (pid,) = executor.worker_pids
        inputs = [ClientInput("a", lambda: np.int32(0))]
        with pytest.raises(UserError, match=r"the worker of CPU:0 .*--round_timeout=5 seconds"):
            executor.sum_clients(_never_ends(), np.int32(1), inputs)
        assert still_running([pid]) == []


@pytest.mark.slow
@needs_jax
def test_another_version_of_jax_is_refused(monkeypatch):
    monkeypatch.setattr(device_worker, "JAX", "0.0.1")
    with create(OPTIONS) as executor, pytest.raises(UserError, match=r"but 0\.0\.1 is needed"):
        executor.sum_clients(_scaled, np.float32(2), _vectors())


def test_a_python_that_is_none_is_refused():
    with pytest.raises(UserError, match="--pjrt_python=/nowhere: no such program"):
        create(ExecutorOptions(executor="pjrt", pjrt_python="/nowhere"))


ENDINGS = {
    "exception": "raise RuntimeError('asked for')",
    "os_exit": "import os; os._exit(3)",
    "SIGTERM": "time.sleep(600)",
    "SIGKILL": "time.sleep(600)",
}
SCRIPT = """
import time
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
executor = create(ExecutorOptions(executor="pjrt"))
print(*executor.worker_pids, flush=True)
"""


@pytest.mark.slow
@needs_jax
@pytest.mark.parametrize("ending", ENDINGS)
def test_no_worker_is_left_however_the_process_ends(ending):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT + ENDINGS[ending]], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pids = [int(word) for word in child.stdout.readline().split()]
        if ending.startswith("SIG"):
            child.send_signal(getattr(signal, ending))
        child.wait(timeout=60)
    deadline = time.monotonic() + 10
    while still_running(pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pids
    assert still_running(pids) == []
