"""What two runs of one command must share to the byte, and what may differ."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

from fed_pretrain.experiment.workdir.metrics import machine_dependent
from groundwork import files

# Where and when something was made, and checksums over files that say so.
_OF_THE_MACHINE = {"command", "versions", "created", "passes", "sha256", "fingerprint", "key"}
_PLACES = {"output"}
_UNCOMPARED = re.compile(
    r"(^|/)(lock$|tensorboard/|progress/|progress\.json$)|\.log$|\.lock$|\.damaged$"
)
# The folder of a step is named by the bytes of its inputs, seconds included; so is its report.
_STEP_KEY = re.compile(r"@[0-9a-f]{8}")
_REPORT = re.compile(r"steps/report")


def of(place: Path) -> dict[str, str]:
    """A digest of every file that counts, by its name below the place."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_file() and not _UNCOMPARED.search(name):
            content = b"" if _REPORT.search(name) else _comparable(path)
            found[_STEP_KEY.sub("", name)] = hashlib.sha256(content).hexdigest()
    return found


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def leftovers(place: Path) -> list[str]:
    return [str(path) for path in place.rglob(f"{files.TEMPORARY_PREFIX}*")]


def _comparable(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        if path.suffix == ".jsonl":
            return _text([_plain(json.loads(line)) for line in content.decode().splitlines()])
        if path.suffix == ".json" or path.name == "SUCCESS":
            return _text(_plain(json.loads(content)))
        if path.suffix == ".csv":
            rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
            return _text([_plain(row) for row in rows])
    except ValueError:
        pass
    return content


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        dropped = _OF_THE_MACHINE | _PLACES
        return {
            name: _plain(one)
            for name, one in value.items()
            if name not in dropped and not machine_dependent(name)
        }
    return [_plain(one) for one in value] if isinstance(value, list) else value
