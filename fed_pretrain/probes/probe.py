"""What a probe is: its name and help, when it can run, its options, its columns, file and figure.

`loss.py` is the shortest example, `drift.py` one that also runs in rounds. A probe's file imports
TensorFlow and Matplotlib inside its methods only, so that names, help and refusals cost neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fed_pretrain.models.weights import Weights
from fed_pretrain.probes.subject import Snapshots, Subject
from groundwork import array_file, files
from groundwork.errors import UserError
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Content = dict[str, Json]
"""What a probe writes as JSON; an undefined number is NaN here and null there."""


@dataclass(frozen=True)
class RoundObservation:
    """A finished round: weights before and after it, its clients, the aggregator's sums.

    `updates` does the clients' work again and yields each update with its weight; None in a round
    without clients.
    """

    round_number: int
    before: Weights
    after: Weights
    cohort: Sequence[str]
    alignment: Mapping[str, float] | None
    layer_alignment: Mapping[str, Mapping[str, float]]
    updates: Callable[[], Iterator[tuple[list[np.ndarray], float]]] | None = None


class Probe:
    """The base measures nothing; a probe overrides what it measures, and states its facts.

    help: one line for tables; file: FILE.json and FILE.png, by default its name;
    in_rounds: `train` may run it, at_checkpoints: `analyze` may; of_snapshots: in a run it gets the
    weights of the probed rounds at the end, and writes its file then;
    of_models_alone: it reads no client's data or update, so that a private run may publish it;
    of_alignment: it reads the alignment sums, which a run leaves out otherwise;
    needs: the flags of `analyze` that must be given (`run`, `run or other_run`), asks_for: the
    sentence that asks for them; options: dataclasses whose fields are flags, maybe shared.
    A mistake that the subject shows is refused by `__init__`, before anything is measured.
    """

    name: ClassVar[str] = ""
    help: ClassVar[str] = ""
    file: ClassVar[str] = ""
    in_rounds: ClassVar[bool] = False
    of_models_alone: ClassVar[bool] = False
    of_alignment: ClassVar[bool] = False
    at_checkpoints: ClassVar[bool] = True
    of_snapshots: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    asks_for: ClassVar[str] = ""
    options: ClassVar[tuple[type, ...]] = ()

    def __init_subclass__(cls) -> None:
        if "file" not in vars(cls):
            cls.file = cls.name

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @classmethod
    def check(cls, given: Collection[str]) -> None:
        """Refuses an analysis in which `given` lacks a flag that this probe needs."""
        for need in cls.needs:
            if not any(flag in given for flag in need.split(" or ")):
                raise UserError(f"--probes={cls.name} {cls.asks_for}")

    def at_start(self, weights: Weights) -> dict[str, float]:
        """Columns of round 0."""
        return {}

    def after_round(self, observation: RoundObservation, due: bool) -> dict[str, float]:
        """Columns of a round; what costs a pass over data is measured only when `due`."""
        return {}

    def forget_after(self, round_number: int) -> None:
        """A resumed run does the rounds after this one again: drop what was written of them."""

    def at_end(self, snapshots: Snapshots) -> Content:
        """The content of the probe's file, made from the weights of the probed rounds."""
        return {}

    def measure(self) -> Content:
        """The content of the probe's file, of the subject's weights."""
        return self.at_end(self.subject.snapshots)

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure | None:
        """The figure of a content read back from JSON; None when it has nothing to show."""
        return None


class RoundLog:
    """A probe's JSON lines, one a probed round, which a resumed run cuts back.

    Rows hold `round`; an undefined number is null.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Mapping[str, object]) -> None:
        text = json.dumps(files.defined(row), allow_nan=False)
        files.append(self._path, text + "\n")
        files.sync(self._path)

    def forget_after(self, round_number: int) -> None:
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [s for s in lines if s.endswith("\n") and _round(s) <= round_number]
            files.write_text(self._path, "".join(kept))


class RoundVectors:
    """A probe's vectors, a file a probed round, which a resumed run cuts back."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def save(self, round_number: int, vectors: Sequence[np.ndarray]) -> None:
        path = self._folder / f"{self._name}-{round_number:09d}.vectors"
        arrays = {str(n): np.asarray(vector, np.float32) for n, vector in enumerate(vectors)}
        array_file.save(path, {"round": round_number}, arrays)

    def newest(self) -> list[np.ndarray]:
        """Empty before the first are saved."""
        found = self._files()
        return list(array_file.load(found[-1]).arrays.values()) if found else []

    def forget_after(self, round_number: int) -> None:
        for path in self._files():
            if int(path.stem.removeprefix(f"{self._name}-")) > round_number:
                files.remove(path)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}-*.vectors"))


def _round(line: str) -> int:
    return int(json.loads(line)["round"])
