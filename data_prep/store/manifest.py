"""The manifest: what a dataset consists of. Written last; without it there is no dataset."""

import dataclasses
import datetime
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from data_prep.store.features import FeatureSpec
from groundwork import checksums, files, from_json
from groundwork.errors import UserError
from groundwork.stores import mirror
from groundwork.untyped import Json

FILE_NAME = "manifest.json"
FORMAT_VERSION = 1
_NAME = re.compile(r"[^/\\\0.][^/\\\0]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
MAY_DIFFER = ("command", "versions", "created")
"""All that may differ between two equal datasets."""


@dataclasses.dataclass(frozen=True)
class StoredFile:
    file: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """A manifest may be anybody's: the file is in the dataset's folder, and no other."""
        if not (_NAME.fullmatch(self.file) and _DIGEST.fullmatch(self.sha256) and self.bytes >= 0):
            raise ValueError(f"{self.file!r} is not a file of a dataset")


def stored_file(path: Path) -> StoredFile:
    """A complete file that the manifest names."""
    return StoredFile(path.name, path.stat().st_size, checksums.of(path))


def _check_counts(*counts: Json) -> None:
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("a count is not a whole number")


@dataclasses.dataclass(frozen=True)
class Shard(StoredFile):
    clients: int
    examples: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self.bytes, self.clients, self.examples)


@dataclasses.dataclass(frozen=True)
class Split:
    clients: int
    examples: int
    index: StoredFile
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        _check_counts(self.clients, self.examples)


@dataclasses.dataclass(frozen=True)
class Manifest:
    features: tuple[FeatureSpec, ...]
    splits: Mapping[str, Split]
    label_names: tuple[str, ...] | None
    source: Mapping[str, Json]
    """name, options, input files with their sizes, and the fingerprint of their content."""
    partition: Mapping[str, Json]
    """The rule, its settings and its seed; how splits were made."""
    counts: Mapping[str, Json]
    """read = written + every reason of `dropped`."""
    heterogeneity: Mapping[str, Json]
    """Per split: what the partition turned out to be."""
    extra: Mapping[str, Json]
    other_files: tuple[StoredFile, ...]
    """What belongs to the dataset besides the shards: a vocabulary."""
    request: str
    """Hash of everything asked for: the same request finds its dataset finished."""
    command: str
    versions: Mapping[str, str]
    """The code, libraries and machine that made it; empty where an older version recorded none."""
    created: str
    """UTC time and a checksum over time, command and versions: there their damage shows."""

    def __post_init__(self) -> None:
        """A manifest may be anybody's: what readers look up in it is there, and of its type."""
        parts = (self.source, self.partition, self.counts, self.heterogeneity, self.extra)
        if not all(isinstance(part, Mapping) for part in (*parts, self.versions)):
            raise ValueError("a part of it is not a mapping")
        texts = (self.request, self.command, self.created, *(self.label_names or ()))
        names = (self.source.get("name"), self.partition.get("rule"))
        if not all(isinstance(text, str) for text in (*texts, *names)):
            raise ValueError("a name or a text of it is none")

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.to_json())

    @property
    def description(self) -> str:
        """The dataset in a sentence or two, for programs that know nothing of it."""
        return (
            f"{self.source['name']}, partitioned into clients ({self.partition['rule']}) by"
            " fed_pretrain. The examples of a client follow each other; SPLIT.clients.parquet says"
            " for each client, in the order of the files, where its examples are."
        )

    def to_json(self) -> dict[str, Json]:
        value = dataclasses.asdict(self)
        if not self.versions:
            del value["versions"]
        value["features"] = [feature.to_json() for feature in self.features]
        value["format_version"] = FORMAT_VERSION
        return json.loads(json.dumps(value))

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Manifest":
        names = {field.name for field in dataclasses.fields(cls)} & value.keys()
        labels = value["label_names"]
        return cls(
            **{
                **{name: value[name] for name in names},
                "features": tuple(FeatureSpec.from_json(feature) for feature in value["features"]),
                "splits": {
                    name: _split_from_json(split) for name, split in sorted(value["splits"].items())
                },
                "label_names": None if labels is None else tuple(labels),
                "versions": value.get("versions", {}),
                "other_files": tuple(StoredFile(**stored) for stored in value["other_files"]),
            }
        )


def _split_from_json(value: Mapping[str, Json]) -> Split:
    return Split(
        clients=value["clients"],
        examples=value["examples"],
        index=StoredFile(**value["index"]),
        shards=tuple(Shard(**shard) for shard in value["shards"]),
    )


def fingerprint(value: Mapping[str, Json]) -> str:
    """sha256 over all of a manifest that two equal datasets share."""
    shared = {k: v for k, v in value.items() if k not in (*MAY_DIFFER, "fingerprint")}
    text = json.dumps(shared, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def now_with_check(command: str, versions: Mapping[str, str]) -> str:
    time = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{time} {_check(command, versions, time)}"


def _check(command: str, versions: Mapping[str, str], time: str) -> str:
    text = f"{command}\n{time}"
    if versions:
        text += f"\n{json.dumps(versions, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text(value: Mapping[str, Json]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path, manifest: Manifest) -> None:
    value = manifest.to_json()
    value["fingerprint"] = fingerprint(value)
    files.write_text(folder / FILE_NAME, _text(value))


def fingerprint_at(folder: str | os.PathLike[str] | None) -> str | None:
    """The fingerprint of the dataset in a folder; None where there is none."""
    if folder is None:
        return None
    path = mirror.file_here(folder, FILE_NAME)
    return read(path.parent).fingerprint if path.exists() else None


def read(folder: Path) -> Manifest:
    """Reads and checks the manifest itself: any flipped byte of it is refused here."""
    path = folder / FILE_NAME
    where = mirror.address(folder)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        is_other = "is not a prepared dataset (it has no manifest.json)"
        what = is_other if folder.is_dir() else "does not exist"
        raise UserError(
            f"{where} {what}; make one with `python -m data_prep.prepare --source=digits "
            f"--output={where}` (or another of --list_sources)"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        value = from_json.text(content)
        version = value["format_version"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: it is not a manifest") from None
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version}; this program reads version {FORMAT_VERSION}"
        )
    try:
        time, _, check = value["created"].partition(" ")
        sound = (
            value["fingerprint"] == fingerprint(value)
            and check == _check(value["command"], value.get("versions", {}), time)
            and _text(value).encode() == content
        )
    except (KeyError, AttributeError, TypeError, ValueError):  # Half a letter has no bytes.
        sound = False
    if not sound:
        raise UserError(f"{path} is damaged: it does not match its own checksum")
    try:
        return Manifest.from_json(value)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a manifest of ours ({error}); do not use it") from None
