"""The checkpoints of one run: saved by round, thinned by rule, the newest sound one first."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import array_file, atomic
from data_prep.array_file import Checkpoint
from data_prep.errors import UserError

_FILE_NAME = re.compile(r"^round-(\d{6,})\.ckpt$")


class CheckpointFolder:
    """`checkpoints/` of a work directory; each file is an array file (data_prep/array_file.py)."""

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
        self, round_number: int, metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
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
        kept = {*present[-keep_last:], *always}
        for round_number in present:
            if round_number not in kept:
                self.path(round_number).unlink()

    def remove_leftovers(self) -> int:
        """Deletes the temporary files of writers that died; returns how many."""
        leftovers = list(self.folder.glob(f"{atomic.TEMPORARY_PREFIX}*"))
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        return len(leftovers)
