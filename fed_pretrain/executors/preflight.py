"""One client on each device before a run: which device ran which op, as TensorFlow recorded it."""

import collections
import dataclasses
import itertools
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as eager_context

from data_prep.errors import UserError
from fed_pretrain.executors import client_work, device_program
from fed_pretrain.executors.api import ClientInput
from fed_pretrain.executors.client_work import Seconds
from fed_pretrain.executors.compiled import of_algorithm
from fed_pretrain.executors.device import DeviceExecutor

HEAVY = ("Conv", "MatMul", "LSTM", "RNN", "Einsum", "XlaLaunch", "_XlaRun", "XlaRunOp")


@dataclasses.dataclass(frozen=True)
class Preflight:
    """`ops` maps (op, device) to how many nodes of that class the device ran."""

    asked: tuple[str, ...]
    ops: dict[tuple[str, str], int]

    def table(self) -> str:
        lines = [f"{'op':32}{'device':10}nodes"]
        for (op, device), nodes in sorted(self.ops.items()):
            lines.append(f"{op:32}{device:10}{nodes}")
        return "\n".join(lines)

    def check(self) -> None:
        """Fails if no heavy op ran on a device that was asked for."""
        for asked in self.asked:
            device = asked.removeprefix("/")
            heavy = [
                op for (op, found) in self.ops if found == device and any(h in op for h in HEAVY)
            ]
            if not heavy:
                raise UserError(
                    f"--devices: nothing that computes ran on {device}; the work ran on "
                    f"{', '.join(sorted({found for _, found in self.ops}))}"
                )


def run(executor: DeviceExecutor, process: Any, state: Any, client: ClientInput) -> Preflight:
    """Works on `client` once for every slot and reads from TensorFlow what ran where."""
    program = executor.program(of_algorithm(process).next)
    flat = device_program.flat_state(state, program.program)
    arguments = client_work.client_arguments(program.program.data_tree)
    clients = list(itertools.repeat(client, executor.placement.clients_in_flight))
    eager = eager_context.context()
    eager.enable_run_metadata()
    try:
        program.run(flat, arguments, clients, Seconds())
        metadata = eager.export_run_metadata()
    finally:
        eager.disable_run_metadata()
    ops: collections.Counter[tuple[str, str]] = collections.Counter()
    for graph in metadata.partition_graphs:
        for node in graph.node:
            ops[node.op, _short(node.device)] += 1
    return Preflight(executor.placement.devices, dict(ops))


def _short(device: str) -> str:
    spec = tf.DeviceSpec.from_string(device)
    return f"{spec.device_type}:{spec.device_index}" if spec.device_type else "host"
