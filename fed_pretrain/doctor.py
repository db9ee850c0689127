"""Checks this machine and environment, and runs one real round through each executor.

Examples:
  python -m fed_pretrain.doctor
  python -m fed_pretrain.doctor --executor=pjrt --devices=GPU
The second examines one executor, with its flags. The exit code is 0 when nothing failed; every
failure says what to do about it.
"""

import importlib.util
import itertools
import sys

if sys.version_info[:2] != (3, 11) or importlib.util.find_spec("absl") is None:
    sys.exit(f"error: {sys.executable} lacks packages: install requirements.lock (`make .venv`)")

from absl import flags

from fed_pretrain.checkup import federated, machine
from fed_pretrain.checkup.verdict import Status, Verdict, line
from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork import command_line, settings
from groundwork.errors import UserError

_WORKDIR = flags.DEFINE_string("workdir", ".", "Folder in which runs will be written.")
_ROUNDS = flags.DEFINE_boolean("rounds", True, "Run a round through each executor.")
_TIMEOUT = flags.DEFINE_float(
    "timeout_seconds", 180.0, "How long one executor may take.", lower_bound=1.0
)
settings.define(ExecutorOptions, "Executor")


def main() -> int:
    given = settings.given(ExecutorOptions)
    if given and "executor" not in given:
        raise UserError(f"--{next(iter(given))}: --executor must name the executor that it is for")
    options = settings.build(ExecutorOptions) if given else None
    checks = itertools.chain(
        machine.examine(_WORKDIR.value),
        federated.examine(_TIMEOUT.value, options) if _ROUNDS.value else (),
    )
    verdicts: list[Verdict] = []
    for verdict in checks:
        print(line(verdict), flush=True)
        verdicts.append(verdict)
    failed = sum(verdict.status is Status.FAIL for verdict in verdicts)
    print(f"{failed} of {len(verdicts)} checks failed" if failed else "all is well")
    if not failed:
        command_line.suggest("pipelines.study", plan="quickstart", workdir="runs/quickstart")
    return 1 if failed else 0


if __name__ == "__main__":
    command_line.run(main)
