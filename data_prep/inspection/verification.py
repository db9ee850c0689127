"""Checks every byte of a dataset against its manifest, and the account against itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from data_prep.store import index as client_index
from data_prep.store import manifest as manifests
from data_prep.store import views
from data_prep.store.index import ClientIndex
from data_prep.store.manifest import Manifest, Shard, Split, StoredFile
from data_prep.store.records import Framer
from groundwork import checksums
from groundwork.errors import UserError


def verify(path: str | os.PathLike[str], report: Callable[[str], None] = print) -> list[str]:
    """Every fault found, one sentence each; an empty list is a sound dataset."""
    folder = Path(path)
    try:
        manifest = manifests.read(folder)
    except UserError as error:
        return [str(error)]
    faults = list(_account(folder, manifest))
    for name, split in manifest.splits.items():
        faults += _split(folder, name, split, manifest)
        report(f"{name}: {len(split.shards)} shards, {split.clients:,} clients checked")
    return faults


def strangers(path: str | os.PathLike[str]) -> list[str]:
    """Files that the manifest does not name; no reader looks at them."""
    folder = Path(path)
    manifest = manifests.read(folder)
    known = {manifests.FILE_NAME, *views.NAMES, *(stored.file for stored in manifest.other_files)}
    for split in manifest.splits.values():
        known |= {split.index.file, *(shard.file for shard in split.shards)}
    return sorted(entry.name for entry in folder.iterdir() if entry.name not in known)


def _account(folder: Path, manifest: Manifest) -> Iterator[str]:
    where = folder / manifests.FILE_NAME
    counts = manifest.counts
    written = sum(split.examples for split in manifest.splits.values())
    if counts["written"] != written:
        yield f"{where}: {counts['written']} examples written, but the splits hold {written}"
    if counts["read"] != counts["written"] + sum(counts["dropped"].values()):
        yield f"{where}: examples read are not those written and dropped"
    for stored in manifest.other_files:
        yield from _file(folder, stored)
    for name, text in views.contents(manifest).items():
        path = folder / name  # Datasets of older versions have none.
        if path.exists() and path.read_bytes() != text.encode():
            yield f"{path}: is not what the manifest says"


def _split(folder: Path, name: str, split: Split, manifest: Manifest) -> list[str]:
    try:
        index = client_index.read(folder, split)
    except UserError as error:
        return [str(error)]
    faults = list(_index(folder, name, split, index))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        checks = [
            pool.submit(_shard, folder, shard, *_rows(index, number))
            for number, shard in enumerate(split.shards)
        ]
        for check in checks:
            faults += check.result()
    return faults


def _index(folder: Path, name: str, split: Split, index: ClientIndex) -> Iterator[str]:
    where = folder / split.index.file
    if len(index) != split.clients or int(index.num_examples.sum()) != split.examples:
        yield f"{where}: its clients and examples are not the manifest's"
    if len(set(index.client_ids)) != len(index):
        yield f"{where}: a client is in {name} twice"
    if index.label_counts is not None and not np.array_equal(
        index.label_counts.sum(axis=1), index.num_examples
    ):
        yield f"{where}: the label counts of a client do not add up to its examples"


def _rows(index: ClientIndex, shard: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mine = index.shards == shard
    return index.offsets[mine], index.lengths[mine], index.num_examples[mine]


def _file(folder: Path, stored: StoredFile) -> list[str]:
    path = folder / stored.file
    try:
        digest = checksums.of(path)
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror}"]
    return [] if digest == stored.sha256 else [f"{path}: its sha256 is not the manifest's"]


def _shard(
    folder: Path, shard: Shard, offsets: np.ndarray, lengths: np.ndarray, counts: np.ndarray
) -> list[str]:
    """The sha256 says whether a byte changed; the records say where."""
    faults = _file(folder, shard)
    path = folder / shard.file
    if faults and not path.exists():
        return faults
    ends = np.cumsum(lengths)
    if not np.array_equal(offsets, ends - lengths) or (len(ends) and ends[-1] != shard.bytes):
        faults.append(f"{path}: the index does not cover it without gaps")
        return faults
    framer = Framer()
    with open(path, "rb") as file:
        for offset, length, count in zip(
            offsets.tolist(), lengths.tolist(), counts.tolist(), strict=True
        ):
            try:
                where = f"{path} (client at byte {offset})"
                found = len(framer.split(file.read(length), where))
            except UserError as error:
                faults.append(str(error))
                continue
            if found != count:
                faults.append(f"{where}: {found} records, {count} in the index")
    return faults
