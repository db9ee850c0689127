"""A probe's JSON lines, one a probed round, that a resumed run cuts back."""

import json
from collections.abc import Mapping
from pathlib import Path

from groundwork import files
from groundwork.files import defined


class RoundLog:
    """Rows hold `round`; an undefined number is null."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Mapping[str, object]) -> None:
        text = json.dumps(defined(row), allow_nan=False)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(text + "\n")

    def forget_after(self, round_number: int) -> None:
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [s for s in lines if s.endswith("\n") and _round(s) <= round_number]
            files.write_text(self._path, "".join(kept))


def _round(line: str) -> int:
    return int(json.loads(line)["round"])
