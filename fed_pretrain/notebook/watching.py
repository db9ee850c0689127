"""What a notebook sees of a run in progress: a bar, and its own callback a round."""

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

from fed_pretrain.notebook.argument_errors import ArgumentError
from fed_pretrain.tracking.follower import FollowedRun, Follower, Row
from groundwork.untyped import Json

OnRound = Callable[[Mapping[str, Json]], object]
"""Gets each round's row when it is on disk; what it returns does not matter."""
_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """TFF and Keras trace with state of the process: a second thread waits for its turn.

    The caller's own models work afterwards as before.
    """
    from fed_pretrain.models import keras_versions

    with _ONE_AT_A_TIME:
        try:
            yield
        finally:
            keras_versions.restore()


def in_notebook() -> bool:
    """Whether the cells of a kernel run this."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def followers(on_round: OnRound | None, label: str = "") -> list[Follower]:
    """The caller's function, and in a notebook a bar; one with a label goes when it is full.

    The bar is shown where a cell writes when this is called.
    """
    if not callable(on_round) and on_round is not None:
        raise ArgumentError(
            f"on_round is a {type(on_round).__name__}; a function of a row is wanted"
        )
    found: list[Follower] = [_Told(on_round)] if on_round is not None else []
    return [*found, *([_Bar(label)] if in_notebook() else [])]


class _Told(Follower):
    def __init__(self, on_round: OnRound) -> None:
        self._on_round = on_round

    def row(self, row: Row) -> None:
        self._on_round(row)


class _Bar(Follower):
    """tqdm's, with the last accuracy beside it."""

    def __init__(self, label: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Without ipywidgets it is a bar of text, and says so.
            from tqdm.auto import tqdm

        self._label = label
        self._make, self._bar = tqdm, None
        self._stream = sys.stdout  # A notebook paints what comes by the other one red.

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        total, done = int(run.parameters.get("rounds", 0)), max(0, len(rows) - 1)
        if done >= total:
            return
        self._bar = self._make(
            total=total,
            initial=done,
            desc=self._label or "rounds",
            file=self._stream,
            leave=not self._label,
        )

    def row(self, row: Row) -> None:
        if self._bar is None:
            return
        if row.get("eval_accuracy") is not None:
            self._bar.set_postfix_str(f"accuracy {row['eval_accuracy']:.3f}", refresh=False)
        self._bar.update()

    def end(self, reason: str, files: Sequence[object]) -> None:
        self.stop(reason)

    def stop(self, reason: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
