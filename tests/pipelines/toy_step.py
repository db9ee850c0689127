"""A binary that only writes down what it was told: stands in for the real ones in step tests."""

import json
import os
import pathlib
import shlex
import signal
import sys
import time

from absl import flags

from groundwork.errors import UserError

_OUTPUT = flags.DEFINE_string("toy_output", None, "Where to write.")
_VALUE = flags.DEFINE_string("toy_value", "", "What to write.")
_READ = flags.DEFINE_string("toy_read", None, "A folder whose value.json is appended.")
_FAIL = flags.DEFINE_string(
    "toy_fail",
    "",
    "How to fail: user, error, kill_once, stop_once, or linger: to wait for a signal.",
)


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
    if _FAIL.value == "stop_once" and first_time:
        return 0
    if _FAIL.value == "linger":
        linger()
    value = [_VALUE.value]
    if _READ.value:
        value += json.loads((pathlib.Path(_READ.value) / "value.json").read_text())
    (output / "command.txt").write_text(shlex.join(sys.argv))
    (output / "value.json").write_text(json.dumps(value))
    (output / "SUCCESS").write_text(json.dumps(value))
    write_in_ledger(_VALUE.value)
    return 0


def write_in_ledger(word: str) -> None:
    with open(os.environ["TOY_LEDGER"], "a") as ledger:
        ledger.write(f"{word} {os.getpid()}\n")


def times_in_ledger(word: str) -> int:
    return pathlib.Path(os.environ["TOY_LEDGER"]).read_text().count(f"{word} ")


def linger() -> None:
    """Asked to stop, it leaves when a second one is asked too; alone, before it is killed."""
    signal.signal(signal.SIGTERM, lambda *_: write_in_ledger("asked"))
    write_in_ledger("ready")
    while not times_in_ledger("asked"):
        time.sleep(0.05)
    deadline = time.monotonic() + 20
    while times_in_ledger("asked") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    write_in_ledger("together" if times_in_ledger("asked") == 2 else "alone")
    os._exit(0)
