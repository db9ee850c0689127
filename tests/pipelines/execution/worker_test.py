"""One process runs several binaries, one after another, whose flags have the same names."""

import json
import subprocess
import sys

PROGRAM = """
import json
from absl import flags
from pipelines.execution import worker

run = ["--task=digits", "--workdir=w"]
found = []
for module, more in (
    ("fed_pretrain.train", ["--rounds=3"]),
    ("fed_pretrain.analyze", ["--round=best"]),
    ("fed_pretrain.train", ["--rounds=5"]),
    ("fed_pretrain.analyze", []),
):
    worker.parse(module, [*run, *more])
    values = flags.FLAGS.flag_values_dict()
    found.append([values["task"], values["rounds"], values.get("round"), "dry_run" in values])
print(json.dumps(found))
"""


def test_binaries_take_turns_with_flags_of_the_same_names():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=True
    )
    assert json.loads(done.stdout) == [
        ["digits", 3, None, True],
        ["digits", None, "best", False],
        ["digits", 5, None, True],
        ["digits", None, "last", False],
    ]
