"""What the library writes to a terminal, kept out of a notebook, whose cells show their values."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator

from fed_pretrain.notebook import watching

_WARNING = "warning:"


@contextlib.contextmanager
def preparing() -> Iterator[None]:
    """Progress of a preparation that takes a second or two; refusals are raised as ever."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def running() -> Iterator[None]:
    """In a notebook the warnings alone, once what is inside is over; elsewhere everything.

    Not that TensorFlow runs already: whoever gives a Keras model has started it.
    """
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    heard, before = io.StringIO(), sys.stderr
    try:
        with contextlib.redirect_stderr(heard if watching.in_notebook() else before):
            yield
    finally:
        logger.setLevel(level)
        for line in heard.getvalue().splitlines():
            if line.startswith(_WARNING):
                print(line, file=before)
