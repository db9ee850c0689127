"""Which trainable weights stay at their client, as `--personal` names them."""

import re
from collections.abc import Callable, Sequence

from groundwork.errors import UserError

NONE, HEAD, NORM, PATTERN = "none", "head", "norm", "regex:"
# Scale and shift of every normalisation, by the last part of their names.
_AFFINE = ("gamma", "beta")


def check(spec: str) -> None:
    """Refuses a spec that says nothing known."""
    if spec in (NONE, HEAD, NORM):
        return
    if not spec.startswith(PATTERN):
        raise UserError(
            f"--personal is {spec!r}, must be none, head, norm or regex:PATTERN of layer names"
        )
    try:
        re.compile(spec.removeprefix(PATTERN))
    except re.error as error:
        raise UserError(f"--personal={spec}: not a regular expression ({error})") from error


def positions(
    spec: str, names: Sequence[str], head: Callable[[], Sequence[int]]
) -> tuple[int, ...]:
    """`names` are those of the trainable weights; `head` finds the head's among them."""
    check(spec)
    if spec == NONE:
        return ()
    if spec == HEAD:
        found = tuple(head())
    elif spec == NORM:
        found = tuple(i for i, name in enumerate(names) if name.rsplit("/", 1)[-1] in _AFFINE)
    else:
        pattern = re.compile(spec.removeprefix(PATTERN))
        found = tuple(i for i, name in enumerate(names) if pattern.search(name.rsplit("/", 1)[0]))
    if not found:
        raise UserError(f"--personal={spec}: no trainable layer of this model is one")
    if len(found) == len(names):
        raise UserError(f"--personal={spec}: nothing is left for the server to average")
    return found
