"""Where the time of a round goes, as TensorBoard's profile plugin reads it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from groundwork.errors import UserError

FOLDER = "profile"


def check(asked: Sequence[int], rounds: int) -> None:
    for number in asked:
        if not 1 <= number <= rounds:
            raise UserError(f"--profile={number}: the rounds are 1 to {rounds}")


@contextlib.contextmanager
def of_round(
    folder: Path,
    number: int,
    asked: Sequence[int],
    elsewhere: Callable[[Path], contextlib.AbstractContextManager[None]],
) -> Iterator[None]:
    """Writes a profile of what runs within this block, here and `elsewhere`, if it is asked for."""
    if number not in asked:
        yield
        return
    place = folder / FOLDER / f"round-{number:06d}"
    with elsewhere(place), tf.profiler.experimental.Profile(str(place)):
        yield
