"""A binary that only writes down what it was told: stands in for the real ones in step tests."""

import json
import os
import pathlib
import shlex
import signal
import sys

from absl import flags

from data_prep.errors import UserError

_OUTPUT = flags.DEFINE_string("toy_output", None, "Where to write.")
_VALUE = flags.DEFINE_string("toy_value", "", "What to write.")
_READ = flags.DEFINE_string("toy_read", None, "A folder whose value.json is appended.")
_FAIL = flags.DEFINE_string("toy_fail", "", "How to fail: user, error, kill_once.")


def main() -> int:
    output = pathlib.Path(_OUTPUT.value)
    marker = output / "tried"
    first_time = not marker.exists()
    marker.touch()
    if _FAIL.value == "user":
        raise UserError("--toy_value: not to be had")
    if _FAIL.value == "error":
        raise RuntimeError("broken")
    if _FAIL.value == "kill_once" and first_time:
        os.kill(os.getpid(), signal.SIGKILL)
    value = [_VALUE.value]
    if _READ.value:
        value += json.loads((pathlib.Path(_READ.value) / "value.json").read_text())
    (output / "command.txt").write_text(shlex.join(sys.argv))
    (output / "value.json").write_text(json.dumps(value))
    with open(os.environ["TOY_LEDGER"], "a") as ledger:
        ledger.write(f"{_VALUE.value} {os.getpid()}\n")
    return 0
