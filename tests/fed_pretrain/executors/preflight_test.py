"""The preflight tells where ops really ran."""

import pytest

from data_prep.errors import UserError
from fed_pretrain.executors import preflight
from fed_pretrain.executors.device import DeviceExecutor
from fed_pretrain.executors.options import ExecutorOptions
from tests.fed_pretrain.executors import digits


def test_convolutions_are_seen_on_the_device_asked_for():
    made = digits.algorithm()
    with DeviceExecutor(ExecutorOptions(clients_in_flight=1)) as executor:
        found = preflight.run(executor, made, digits.start(executor, made), digits.clients(1)[0])
    assert any("Conv2D" in op and where == "CPU:0" for op, where in found.ops)
    assert "Conv2D" in found.table()
    found.check()


def test_a_device_on_which_nothing_ran_is_named():
    found = preflight.Preflight(("/GPU:0",), {("Conv2D", "CPU:0"): 3})
    with pytest.raises(UserError, match="ran on GPU:0; the work ran on CPU:0"):
        found.check()
