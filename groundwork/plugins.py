"""Modules of the user's that register things of their own, named by `--plugin`.

A plugin may register tasks, models, client updates, server optimizers, probes, sources, partitions,
report sections and trackers (docs/extending.md). Only what the user names is imported: a name that
is stored in a run runs no code.
"""

import importlib
import sys
import traceback
from collections.abc import Iterable, Sequence

from groundwork.errors import UserError

FLAG = "plugin"
HELP = (
    "A Python module of yours that registers tasks, models, client updates, server optimizers, "
    "probes, sources, partitions, report sections or trackers (repeatable)."
)


def split(values: Iterable[str]) -> tuple[str, ...]:
    """The modules of a repeatable flag, each of whose values may list several."""
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def named(arguments: Sequence[str]) -> tuple[str, ...]:
    """The modules a command line names, before its flags are parsed: they may add choices."""
    found = []
    for position, argument in enumerate(arguments):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == FLAG:
            found += [value] if equals else list(arguments[position + 1 : position + 2])
    return split(found)


def load(modules: Iterable[str]) -> None:
    """Imports the modules, each once in a process; refuses one that cannot be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except UserError as error:
            raise UserError(f"--plugin={module}: {error}") from error
        except (Exception, SystemExit) as error:
            raise UserError(f"--plugin={module} cannot be imported ({_why(error)})") from error


def _why(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; is its folder on PYTHONPATH?"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}; {last.filename}, line {last.lineno}"


def report_unloaded(place: object, stored: Iterable[str]) -> None:
    """Says which plugins a run was made with that nobody has asked to import."""
    for module in stored:
        if module not in sys.modules:
            print(
                f"{place} was made with --{FLAG}={module}; its code is not imported unless the "
                "flag is given again",
                file=sys.stderr,
            )
