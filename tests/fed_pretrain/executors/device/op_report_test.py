"""The report says where ops really ran, and refuses a silent fall-back."""

import subprocess
import sys

import numpy as np
import pytest

from fed_pretrain.executors.device import op_report
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.device.op_report import OpReport, Ran
from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork.errors import UserError
from tests.fed_pretrain.executors import digits

CONVOLUTION = Ran("convolution", "float32", "CPU:0")


def test_a_convolutional_model_is_seen_on_the_device_asked_for(device):
    """Forward and one gradient each; the head's has two. Also after rounds of the same program."""
    made = digits.algorithm()
    digits.train(device, made, 1)
    found = device.op_report(made, digits.start(device, made), digits.clients(1)[0])
    found.check()
    assert found.nodes[CONVOLUTION] == 2
    assert found.nodes[Ran("matrix product", "float32", "CPU:0")] == 3
    assert "convolution             float32    CPU:0    2" in found.table()


def test_the_ops_that_xla_compiled_are_told():
    made = digits.algorithm()
    with DeviceExecutor(ExecutorOptions(clients_in_flight=1, jit=True)) as executor:
        found = executor.op_report(made, digits.start(executor, made), digits.clients(1)[0])
    assert found.nodes[CONVOLUTION] >= 2
    found.check()


def test_one_step_is_run_and_not_all_of_a_clients_work():
    payload = digits.payload("ben", 1)
    step = op_report.one_step(payload)
    assert step["order"].shape == payload["order"].shape
    assert np.array_equal(step["order"][0], payload["order"][0])
    assert (step["order"][1:] == -1).all()
    assert (payload["order"][1:] >= 0).any()


def test_a_device_on_which_nothing_computed_is_named():
    rest = Ran("the rest", "", "GPU:0")
    fallen = OpReport(("/GPU:0",), False, {CONVOLUTION: 3, rest: 400})
    with pytest.raises(UserError, match=r"computes ran on GPU:0; the client work ran on CPU:0"):
        fallen.check()
    half = OpReport(("/GPU:0", "/GPU:1"), False, {CONVOLUTION._replace(device="GPU:0"): 3})
    with pytest.raises(UserError, match="ran on GPU:1"):
        half.check()


def test_half_precision_that_did_not_happen_is_refused():
    with pytest.raises(UserError, match="nothing of this model ran in half precision"):
        OpReport(("/CPU:0",), True, {CONVOLUTION: 3}).check()
    OpReport(("/CPU:0",), True, {CONVOLUTION._replace(precision="bfloat16"): 3}).check()


FALL_BACK = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from groundwork.errors import UserError
from fed_pretrain.algorithms import client_process
from fed_pretrain.algorithms.client_updates.local_training import LocalTraining
from fed_pretrain.executors.device.device_executor import DeviceExecutor
from fed_pretrain.executors.executor_options import ExecutorOptions
from tests.fed_pretrain.executors import digits

class Elsewhere(LocalTraining):
    def gradients(self, *arguments):
        with tf.device("/CPU:0"):
            return super().gradients(*arguments)

def told(made):
    found = executor.op_report(made, digits.start(executor, made), digits.clients(1)[0])
    try:
        found.check()
        return sorted({ran.device for ran in found.nodes if ran.precision})
    except UserError as error:
        return error

with DeviceExecutor(ExecutorOptions(devices="CPU:1", soft_placement=True)) as executor:
    print(told(digits.algorithm()))
    client_process.LocalTraining = Elsewhere
    print(told(digits.algorithm(client_momentum=0.5)))
with DeviceExecutor(ExecutorOptions(devices="CPU:0,CPU:1", clients_in_flight=2)) as executor:
    print(told(digits.algorithm()))
"""


@pytest.mark.slow
def test_work_that_another_device_did_is_refused():
    """On two logical CPUs, where work that names its own device leaves the one asked for idle."""
    found = subprocess.run(
        [sys.executable, "-c", FALL_BACK], capture_output=True, text=True, timeout=900
    )
    assert found.returncode == 0, found.stderr[-2000:]
    right, fallen, both = found.stdout.splitlines()
    assert right == "['CPU:1']"
    assert "nothing that computes ran on CPU:1; the client work ran on CPU:0" in fallen
    assert both == "['CPU:0', 'CPU:1']"
