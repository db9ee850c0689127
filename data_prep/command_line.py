"""How every binary starts and ends: quiet libraries, one sentence for a user's mistake."""

import os
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from data_prep.errors import UserError

USER_ERROR_EXIT = 2


def quiet_libraries() -> None:
    """Silences the libraries' own chatter; must run before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


def run(main: Callable[[], int | None]) -> None:
    """Parses the flags, calls `main()` and turns a UserError into one line and exit code 2."""
    quiet_libraries()

    def guarded(argv: Sequence[str]) -> int:
        if len(argv) > 1:
            return _refuse(f"unexpected argument {argv[1]!r}: every setting is a --flag")
        try:
            return main() or 0
        except UserError as error:
            return _refuse(str(error))

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            return flags.FLAGS(list(argv))
        except flags.Error as error:
            sys.exit(_refuse(f"{error} (see {argv[0]} --help)"))

    logging.set_verbosity(logging.WARNING)
    app.run(guarded, flags_parser=parse)


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return USER_ERROR_EXIT
