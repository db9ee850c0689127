"""A mistake in a call: one sentence that names the argument, as the library's name flags."""

import contextlib
import re
from collections.abc import Iterator, Mapping

from groundwork.errors import UserError

# A flag with its value, but for what is inside back quotes or belongs to a command.
_FLAG = re.compile(r"`[^`]*`|--([a-z][a-z0-9_]*)(?:=(\S*?)(?=[:;,.]?(?:\s|$)))?")
# What the API calls otherwise than the command line.
_ARGUMENTS = {
    "dataset": "clients",
    "start_head": "head",
    "start_head_strength": "head_strength",
    "start_head_classes": "head_classes",
    "start_noise": "noise",
    "start_blend": "blend",
    "allow_partial_start": "allow_partial=True",
    "eval_split": "eval_split",
    "output": "folder",
}
# Where the value is a place of ours, and says nothing to whoever gave an object.
_WITHOUT_VALUE = ("start", "model", "dataset", "input", "output")


class ArgumentError(UserError, ValueError):
    """What is wrong with an argument, and what to do; shown without a traceback in a notebook."""

    def _render_traceback_(self) -> list[str]:
        return [f"ArgumentError: {self}"]


@contextlib.contextmanager
def naming(**arguments: str) -> Iterator[None]:
    """Inside, refusals of the library come as ArgumentErrors.

    `arguments`: what the caller wrote in the place of a flag, such as start="starts['mine']".
    """
    try:
        yield
    except ArgumentError:
        raise
    except UserError as error:
        raise ArgumentError(in_arguments(str(error), arguments)) from None


def in_arguments(sentence: str, arguments: Mapping[str, str]) -> str:
    """The sentence with arguments in the place of flags."""

    def argument(found: re.Match[str]) -> str:
        flag, value = found.group(1), found.group(2)
        if flag is None:
            return found.group(0)
        name = arguments.get(flag) or _ARGUMENTS.get(flag, flag)
        if value is None or flag in _WITHOUT_VALUE or "=" in name:
            return name
        return f"{name}={value}"

    return _FLAG.sub(argument, sentence)
