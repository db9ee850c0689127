"""Shows a study or a run in progress on a local page: steps, curves, time left, failures.

Example:
  python -m pipelines.watch --workdir=runs/quickstart

It only reads files, so it may be started and ended at any time, and shows what is finished, too.
"""

import sys

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the study or of the run.")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to serve at; others may read it then.")
_PORT = flags.DEFINE_integer(
    "port", 8765, "Port to serve at; 0 = a free one.", lower_bound=0, upper_bound=65535
)


def main() -> int:
    from pathlib import Path

    from pipelines.watching import server
    from pipelines.watching.state import Watched

    if not _WORKDIR.value:
        raise UserError("--workdir is missing: the folder of a study or of a run")
    watched = Watched(Path(_WORKDIR.value))
    try:
        serving = server.create(watched, _HOST.value, _PORT.value)
    except OSError as error:
        raise UserError(
            f"--port={_PORT.value} at {_HOST.value}: {error.strerror}; --port=0 takes a free one"
        ) from error
    with serving:
        print(f"http://{_HOST.value}:{serving.server_address[1]}/   (Ctrl-C ends it)", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            print("", file=sys.stderr)
    return 0


if __name__ == "__main__":
    command_line.run(main)
