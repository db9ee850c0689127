"""Parses command lines with the flags of one binary, without running it; its own process.

`python tests/flag_check.py MODULE` reads a JSON list of argument lists and prints a JSON list that
holds an error, or null, for each.
"""

import importlib
import json
import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep.grouping import beam_options
from groundwork.errors import UserError


def check(module: str, command_lines: list[list[str]]) -> list[str | None]:
    package = importlib.import_module(module)
    if hasattr(package, "__path__"):
        importlib.import_module(f"{module}.__main__")
    return [_error(module, arguments) for arguments in command_lines]


def _error(module: str, arguments: list[str]) -> str | None:
    flags.FLAGS.unparse_flags()
    given = [module, *arguments]
    try:
        if module == "data_prep.prepare":  # It takes Beam's options, too.
            beam_options.take_from(given)
            beam_options.taken()
        rest = flags.FLAGS(given)
    except (flags.Error, UserError) as error:
        return str(error)
    return f"unexpected argument {rest[1]!r}" if len(rest) > 1 else None


if __name__ == "__main__":
    print(json.dumps(check(sys.argv[1], json.load(sys.stdin))))
