"""A step: one plain command with declared inputs and one output folder.

A step is safe to run twice and on another machine that shares the file system: its binary writes
only below its output folder, continues what it finds there, and leaves a record when done. A
step's key is a hash of its command, of the fingerprints of what it reads and of the code, so a
step is done again exactly when one of these has changed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from data_prep.store import manifest
from groundwork import files, from_json, versions
from groundwork.errors import UserError
from groundwork.stores import mirror, store
from groundwork.untyped import Json
from pipelines.plan.document import Place

RECORD = "step.json"
# The file each kind of step writes last, and which vouches for its output.
_LAST = {
    "pretrain": "SUCCESS",
    "tune": "rates.flags",
    "trial": "trial.json",
    "train": "SUCCESS",
    "analyze": "SUCCESS",
    "report": "index.html",
}
PACKAGES = ("data_prep", "fed_pretrain", "groundwork", "pipelines")
# What a report looks like changes no number: restyling it must not retrain anything.
_WITHOUT_EFFECT_ON_RUNS = ("reporting", "plans")


@dataclass(frozen=True)
class Input:
    """The output folder of step `step_id`, or one file inside it."""

    step_id: str
    file: str = ""


@dataclass(frozen=True)
class Step:
    """`flags` may hold Inputs, or tuples of them for a flag that is given once for each;
    `output_flag` receives the step's own output folder.

    affinity: what its process keeps that steps like it use: PROGRAM/TASK/STRUCTURE.
    origins: where the plan sets each flag, for the sentence that refuses it.
    content: what else the output is made of, besides flags and inputs.
    overridden: values that a later section of the plan sets otherwise: they are checked, too.
    """

    step_id: str
    kind: str
    module: str
    flags: Mapping[str, Json]
    output_flag: str
    needs: tuple[str, ...] = ()
    coordinates: Mapping[str, Json] = field(default_factory=dict)
    affinity: str = ""
    origins: Mapping[str, Place] = field(default_factory=dict)
    content: str = ""
    overridden: tuple[tuple[Place, Json], ...] = ()

    def inputs(self) -> set[str]:
        """Ids of the steps this one reads, in flags or by declaration."""
        return {one.step_id for value in self.flags.values() for one in _inputs(value)} | {
            *self.needs
        }


def _inputs(value: Json) -> tuple[Input, ...]:
    """The Inputs that a flag holds."""
    if isinstance(value, Input):
        return (value,)
    return value if isinstance(value, tuple) else ()


def kinship(affinity: str) -> list[str]:
    """An affinity and what it is a part of, the nearest first."""
    parts = affinity.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def arguments(step: Step, folders: Mapping[str, Path], output: Path) -> list[str]:
    """The command line of a step once the folders of its inputs are known."""
    result = []
    for name, value in {**step.flags, step.output_flag: str(output)}.items():
        inputs = _inputs(value)
        places = [folders[one.step_id] / one.file for one in inputs]
        result += [argument(name, one) for one in (places if inputs else [value])]
    return result


def argument(name: str, value: Json) -> str:
    return f"--{name}={str(value).lower() if isinstance(value, bool) else value}"


def key(step: Step, fingerprints: Mapping[str, str]) -> str:
    """Content address of a step: command, inputs' fingerprints, code version."""
    flags = {}
    for name, value in sorted(step.flags.items()):
        read = [f"{fingerprints[one.step_id]}/{one.file}" for one in _inputs(value)]
        flags[name] = value if not read else read if isinstance(value, tuple) else read[0]
    content = {
        "module": step.module,
        "flags": flags,
        "needs": sorted(fingerprints[name] for name in step.inputs()),
        "content": step.content,
        "files": _external_files(step),
        "code": report_version() if step.kind == "report" else code_version(),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_CHECKPOINT = "checkpoint:"


def _external_files(step: Step) -> list[tuple[str, str]]:
    """What the user names, by content: new data under an old name is new data.

    A dataset is known by its fingerprint, any other file by its size and time.
    """
    found = []
    for name in ("input", "dataset", "start"):
        value = step.flags.get(name)
        if isinstance(value, str) and (name != "start" or value.startswith(_CHECKPOINT)):
            identity = _identity(value.removeprefix(_CHECKPOINT))
            found += [(value, identity)] if identity else []
    return found


def _identity(named: str) -> str | None:
    if mirror.is_remote(named):
        return manifest.fingerprint_at(named) or store.token(named)
    path = Path(named)
    if path.is_dir():
        return manifest.fingerprint_at(path)
    if not path.exists():
        return None
    status = path.stat()
    return f"{status.st_size} bytes of {status.st_mtime_ns}"


@cache
def code_version() -> str:
    """Hash of every source file that can change a number."""
    root = Path(__file__).resolve().parents[2]
    sources = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    return _hash_of(
        root,
        [p for p in sources if not set(p.relative_to(root).parts) & set(_WITHOUT_EFFECT_ON_RUNS)],
    )


@cache
def report_version() -> str:
    """Hash of what turns numbers into a page."""
    root = Path(__file__).resolve().parents[2]
    return _hash_of(root, (root / "fed_pretrain" / "reporting").rglob("*.*"))


def _hash_of(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.suffix != ".pyc":
            digest.update(f"{path.relative_to(root)}:".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """What a finished step left behind; see StepState for its seconds."""

    key: str
    fingerprint: str
    seconds: float
    quiet_seconds: float


def read_record(output: Path) -> Record | None:
    """The record of a finished step; None when it is absent or not readable."""
    try:
        value = from_json.record(output / RECORD)
        seconds: float = value["seconds"]
        return Record(
            value["key"], value["fingerprint"], seconds, value.get("quiet_seconds", seconds)
        )
    except (OSError, ValueError, KeyError):
        return None


def write_record(
    output: Path, step: Step, step_key: str, seconds: float, quiet_seconds: float
) -> Record:
    record = Record(step_key, fingerprint(output, step), seconds, quiet_seconds)
    content = {
        "id": step.step_id,
        "coordinates": dict(step.coordinates),
        **vars(record),
        "versions": versions.current(),
    }
    files.write_json(output / RECORD, content)
    return record


def fingerprint(output: Path, step: Step) -> str:
    """What a reader of this step's output depends on.

    A prepared dataset is known by its manifest's content, so that preparing the same data again
    redoes nothing after it; the rest by the bytes of the file that vouches for the output. A
    training that was asked to stop ends well, without that file.
    """
    if step.kind == "prepare":
        from data_prep.store.reader import open_dataset

        return open_dataset(output).fingerprint
    path = output / _LAST[step.kind]
    if not path.exists():
        raise UserError(f"it was stopped before its end: there is no {path.name} in {output}")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
