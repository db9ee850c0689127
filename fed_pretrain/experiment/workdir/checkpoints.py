"""The checkpoints of one run: saved by round, thinned by rule, the newest sound one first."""

import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.algorithms.algorithm_config import SETTINGS
from fed_pretrain.executors.graphs import structures
from fed_pretrain.executors.graphs.structures import Struct, Tree
from fed_pretrain.experiment.workdir import metrics
from fed_pretrain.experiment.workdir.metrics import best_round
from fed_pretrain.models.weights import ModelArrays
from groundwork import array_file, files
from groundwork.array_file import Checkpoint
from groundwork.errors import UserError
from groundwork.untyped import Json, State

if TYPE_CHECKING:
    from fed_pretrain.algorithms.algorithm import Algorithm

SNAPSHOTS = "snapshots"
# Places in a state: the round that clients schedule by, the models that late clients begin with.
CLIENT_ROUND, PAST_MODELS = "state/client_work/round", "state/distributor/"

_FILE_NAME = re.compile(r"^round-(\d{6,})\.ckpt$")


class CheckpointFolder:
    """`checkpoints/` of a work directory; each file is an array file (groundwork/array_file.py)."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, round_number: int) -> Path:
        return self.folder / f"round-{round_number:06d}.ckpt"

    def rounds(self) -> list[int]:
        """The rounds that have a file, in ascending order."""
        matches = (_FILE_NAME.match(entry.name) for entry in self.folder.iterdir())
        return sorted(int(match.group(1)) for match in matches if match)

    def save(
        self, round_number: int, metadata: Mapping[str, Json], arrays: Mapping[str, np.ndarray]
    ) -> int:
        return array_file.save(self.path(round_number), {**metadata, "round": round_number}, arrays)

    def load(self, round_number: int) -> Checkpoint:
        return array_file.load(self.path(round_number))

    def load_or_set_aside(self, round_number: int) -> Checkpoint:
        """As `load`; a damaged file is renamed, so that its round can be saved again."""
        try:
            return self.load(round_number)
        except UserError:
            path = self.path(round_number)
            if path.exists():
                path.replace(path.with_name(f"{path.name}.damaged"))
            raise

    def newest_sound(self, last_round: int) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint up to `last_round` that reads well, and what was passed over."""
        damage: list[str] = []
        for round_number in reversed(self.rounds()):
            if round_number > last_round:
                continue
            try:
                return self.load_or_set_aside(round_number), damage
            except UserError as error:
                damage.append(str(error))
        return None, damage

    def thin(self, keep_last: int, always: Iterable[int]) -> None:
        """Removes all but the last `keep_last` rounds and those of `always`."""
        present = self.rounds()
        self._keep({*present[-keep_last:], *always})

    def forget_stops(self, every: int, newest: int) -> None:
        """Removes those of rounds in which a run was stopped: one that never was has none."""
        self._keep({one for one in self.rounds() if one % every == 0 or one == newest})

    def forget_after(self, round_number: int) -> None:
        self._keep({one for one in self.rounds() if one <= round_number})

    def _keep(self, kept: Container[int]) -> None:
        for round_number in self.rounds():
            if round_number not in kept:
                files.remove(self.path(round_number))

    def remove_leftovers(self) -> int:
        """Deletes the temporary files of writers that died; returns how many."""
        leftovers = list(self.folder.glob(f"{files.TEMPORARY_PREFIX}*"))
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        return len(leftovers)


WEIGHTS = "global_model_weights"
Names = tuple[Sequence[str], Sequence[str]]
"""Of the trainable and the other tensors."""


@dataclass(frozen=True)
class StateLayout:
    """Names the leaves of a state; the model's leaves carry their tensors' canonical names.

    settings: the leaves of this name, which arrays leave out because the config says them.
    """

    tree: Tree
    paths: tuple[str, ...]
    settings: np.ndarray

    @classmethod
    def of(cls, algorithm: "Algorithm", names: "Names") -> "StateLayout":
        tree = structures.from_type(algorithm.process.initialize.type_signature.result)
        settings = np.array(list(algorithm.config.values().values()), np.float64)
        return cls(tree, tuple(_paths(tree, "state", names)), settings)

    @property
    def stored(self) -> list[str]:
        """The paths that a checkpoint holds."""
        return [path for path in self.paths if not _is_settings(path)]

    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        leaves = structures.flatten(state, self.tree)
        return {
            path: np.asarray(structures.to_host(leaf))
            for path, leaf in zip(self.paths, leaves, strict=True)
            if not _is_settings(path)
        }

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> State:
        settings = {path: self.settings for path in self.paths if _is_settings(path)}
        arrays = {**arrays, **settings}
        missing = [path for path in self.paths if path not in arrays]
        if missing:
            raise UserError(f"the checkpoint lacks {missing[0]!r}: it is of another process")
        return structures.unflatten(iter([arrays[path] for path in self.paths]), self.tree)

    def model(self, state: State) -> ModelArrays:
        arrays = self.to_arrays(state)
        return ModelArrays(
            [arrays[path] for path in self.paths if path.startswith("model/trainable/")],
            [arrays[path] for path in self.paths if path.startswith("model/non_trainable/")],
        )

    def with_model(self, state: State, weights: tuple[list[np.ndarray], list[np.ndarray]]) -> State:
        """The state with other model weights."""
        arrays = self.to_arrays(state)
        for kind, values in zip(("trainable", "non_trainable"), weights, strict=True):
            paths = [path for path in self.paths if path.startswith(f"model/{kind}/")]
            arrays |= zip(paths, values, strict=True)
        return self.from_arrays(arrays)


def _is_settings(path: str) -> bool:
    return path.startswith("state/") and path.endswith(f"/{SETTINGS}")


def _paths(tree: Tree, place: str, names: Names) -> Iterator[str]:
    if not isinstance(tree, Struct):
        yield place
        return
    for index, (name, child) in enumerate(zip(tree.names, tree.children, strict=True)):
        if name == WEIGHTS and place == "state":
            yield from (f"model/trainable/{one}" for one in names[0])
            yield from (f"model/non_trainable/{one}" for one in names[1])
        else:
            yield from _paths(child, f"{place}/{name or index}", names)


_TRAINABLE, _FROZEN = "model/trainable/", "model/non_trainable/"


class KeptWeights:
    """Reads a run's folder and changes nothing in it; `names` are those of the start's tensors.

    `flag` is the one that named the folder, and `round_flag` the one of the round.
    """

    def __init__(
        self,
        folder: Path,
        names: tuple[list[str], list[str]],
        flag: str = "run",
        round_flag: str = "round",
    ) -> None:
        self._folder = folder
        self._names = names
        self._flag, self._round_flag = flag, round_flag
        self._files: dict[int, Path] = {}
        for place in (folder / "probes" / SNAPSHOTS, folder / "checkpoints"):
            for path in place.glob("round-*.ckpt"):
                match = _FILE_NAME.match(path.name)
                if match:
                    self._files[int(match.group(1))] = path
        if not self._files:
            raise UserError(f"--{flag}={folder}: no checkpoint there")

    def rounds(self) -> list[int]:
        return sorted(self._files)

    def round_of(self, which: str) -> int:
        """`start`, `best`, `last` or a number as a round whose weights are there."""
        rounds = self.rounds()
        if which == "last":
            return rounds[-1]
        if which == "best":
            return best_round(metrics.read_rows(self._folder / "metrics.jsonl"), rounds)
        text = "0" if which == "start" else which
        if not text.isdigit():
            raise UserError(
                f"--{self._round_flag}={which}: give a round's number, start, best or last"
            )
        if int(text) not in self._files:
            kept = ", ".join(map(str, rounds))
            raise UserError(f"--{self._round_flag}={which}: {self._folder} holds the rounds {kept}")
        return int(text)

    def arrays(self, round_number: int) -> Mapping[str, np.ndarray]:
        """Everything kept of a round; of a checkpoint also the states of server and clients."""
        return array_file.load(self._files[round_number]).arrays

    def read(self, round_number: int) -> ModelArrays:
        arrays = self.arrays(round_number)
        frozen = arrays
        # A snapshot holds what does not train only when that moves; round 0 has it else.
        if any(_FROZEN + name not in arrays for name in self._names[1]):
            frozen = self.arrays(0)
        missing = [name for name in self._names[0] if _TRAINABLE + name not in arrays]
        if missing:
            raise UserError(
                f"--{self._flag}={self._folder}: is a run of another model:"
                f" {self._files[round_number].name} lacks the tensor {missing[0]!r}"
            )
        return ModelArrays(
            [arrays[_TRAINABLE + name] for name in self._names[0]],
            [frozen[_FROZEN + name] for name in self._names[1]],
        )
