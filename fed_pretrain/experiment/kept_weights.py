"""The weights a run has kept: checkpoints, and the snapshots its probes asked for."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_prep import array_file
from data_prep.errors import UserError
from fed_pretrain.experiment import metrics
from fed_pretrain.experiment.run_probes import SNAPSHOTS
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.experiment.stopping import best_round

_FILE_NAME = re.compile(r"^round-(\d{6,})\.ckpt$")
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
            raise UserError(f"--{self._round_flag}={which}: {self._folder} has kept rounds {kept}")
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
