"""What XLA compiles: no dataset, few shapes, and the same results. Run on CPUs, never on a TPU."""

import functools
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, padded
from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.graphs import graph_spec
from fed_pretrain.executors.graphs.graph_import import ImportedGraph
from groundwork.errors import UserError
from tests.fed_pretrain.executors import digits

SETTINGS = {name: digits.UPDATES[name] for name in ("fedavg", "fednova", "mimelite", "scaffold")}
SETTINGS["dropout"] = {"dropout": 0.5}


def payload_of_first(rows: int) -> Any:
    """Two epochs on the first so many digits."""
    images, labels = digits.all_digits()
    work = LocalWork(digits.BATCH, epochs=2)
    return make_payload(images[:rows], labels[:rows], work, 3, 1, f"first {rows}")


def clients(sizes: Any, change: Any = None) -> list[ClientInput]:
    def read(rows: int) -> Any:
        return payload_of_first(rows) if change is None else change(payload_of_first(rows))

    return [ClientInput(f"{rows}", functools.partial(read, rows)) for rows in sizes]


def a_round(executor: DeviceExecutor, name: str, change: Any = None) -> Any:
    made = digits.algorithm(**SETTINGS[name])
    inputs = [
        ClientInput(one.client_id, one.read, made.initial_client_state())
        for one in clients((3, 8, 9, 21), change)
    ]
    return executor.run_round(made, digits.start(executor, made), inputs)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("fednova", "scaffold", "dropout") else ())
        for n in SETTINGS
    ],
)
def test_padding_changes_no_bit_of_a_round(device, name):
    """Neither a weight nor a metric nor an averaging by rows or steps sees it."""
    plain, full = a_round(device, name), a_round(device, name, padded)
    assert digits.difference(plain.state, full.state) == 0
    assert digits.difference(plain.metrics, full.metrics) == 0
    assert digits.difference(plain.client_states, full.client_states) == 0
    assert int(plain.metrics["client_work"]["train"]["examples"]) == 3 + 8 + 9 + 21


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n != "fedavg" else ()) for n in SETTINGS]
)
def test_a_compiled_round_is_the_plain_one_within_rounding(device, jit, name):
    plain, found = a_round(device, name), a_round(jit, name)
    weights, expected = (o.state.global_model_weights for o in (found, plain))
    assert digits.difference(weights, expected) < 1e-6
    assert digits.difference(found.client_states, plain.client_states) < 1e-5
    one, other = (o.metrics["client_work"]["train"] for o in (found, plain))
    for count in ("examples", "steps", "clients", "count"):
        assert one[count] == other[count]


def test_no_op_of_a_dataset_is_compiled(device):
    work = device.program(digits.algorithm().process.next).program.work
    graph = tf.compat.v1.GraphDef.FromString(work.graph_def)
    assert any("Dataset" in node.op for node in graph.node)
    compiled = ImportedGraph(work, jit=True)
    ops = set(_ops(compiled._function._function.name.decode()))
    assert "MatMul" in ops
    assert [op for op in ops if "Dataset" in op or "Iterator" in op] == []


def test_client_work_that_iterates_a_dataset_is_refused():
    @tff.tensorflow.computation(tff.types.SequenceType(np.float32))
    def total(data: Any) -> Any:
        return data.reduce(0.0, lambda a, b: a + b)

    with pytest.raises(UserError, match="--jit: this client work iterates a dataset"):
        ImportedGraph(graph_spec.from_computation(total), jit=True)


COUNT = """
import sys
from fed_pretrain.executors.border import tensorflow_private
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor_options import ExecutorOptions
from tests.fed_pretrain.executors import compiled_shapes_test, digits
made = digits.algorithm()
with DeviceExecutor(ExecutorOptions(jit=True, clients_in_flight=2)) as executor:
    state = digits.start(executor, made)
    for _ in range(2):
        executor.run_round(made, state, compiled_shapes_test.clients(range(1, 33)))
"""


@pytest.mark.slow
def test_thirty_two_sizes_of_clients_are_compiled_three_times(tmp_path: pathlib.Path):
    """Counted by XLA itself, which writes each program that it compiles: 8, 16 and 32 rows."""
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    subprocess.run(
        [sys.executable, "-c", COUNT],
        check=True,
        timeout=600,
        env={**os.environ, "XLA_FLAGS": flags},
    )
    written = {
        path.name.split(".")[0] for path in tmp_path.glob("module_*before_optimizations.txt")
    }
    assert len(written) == 3


def _ops(function: str) -> Any:
    """The ops of a library function and of what it calls."""
    for node in tensorflow_private.function_def(function).node_def:
        yield node.op
        for attribute in node.attr.values():
            for called in (attribute.func, *attribute.list.func):
                if called.name:
                    yield from _ops(called.name)
