"""One row of the campaign in a process of its own.

    python -m benchmarks.campaign.child ROW TIMES SEED MINUTES FILE

Everything is imported first and TensorFlow is not started: so a fork is a fresh process without the
seconds of the imports.
"""

import importlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from groundwork import command_line

command_line.quiet_libraries()
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def main() -> None:
    name, times, seed, minutes, file = sys.argv[1:]
    import logging

    logging.disable(logging.WARNING)  # Beam's remarks on absent cloud tools.
    from benchmarks.campaign import rows, trial

    for module in rows.ROWS[name].imports:
        importlib.import_module(module)
    row = trial.Row(
        name,
        Path(file),
        random.Random(f"{seed} {name}"),
        time.monotonic() + 60 * float(minutes),
    )
    row.write()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        rows.ROWS[name].run(row, Path(folder), int(times))
    row.write()
    sys.stdout.flush()
    os._exit(0)  # Libraries' threads may wait for ever for a worker that was killed.


if __name__ == "__main__":
    main()
