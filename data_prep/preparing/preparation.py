"""source -> partition -> dataset: the library entry behind `prepare`."""

import functools
import hashlib
import importlib
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

from data_prep.grouping.job import Job
from data_prep.preparing import estimation
from data_prep.preparing.request import NO_MAXIMUM, Opened, PrepareConfig, open_source, pack_tasks
from data_prep.sources.work_units import WorkUnit
from data_prep.store import features, manifest
from data_prep.store.reader import PreparedDataset, open_dataset
from groundwork import checksums, files, staging, versions
from groundwork.errors import UserError
from groundwork.stores import mirror
from groundwork.stores.folders import LocalFolder, folder_of
from groundwork.untyped import Json

__all__ = ["PrepareConfig", "check_output", "open_source", "prepare", "prepare_opened"]

_GLANCE_BYTES = 256 << 20
"""Larger inputs are sampled first, to refuse a disk that is too small and to show an ETA."""


def describe_request(opened: Opened) -> dict[str, Json]:
    """The manifest's words for what was asked, and the hash by which the same request is known."""
    config = opened.config
    source = {
        "name": opened.source.name,
        "options": dict(opened.options),
        **describe(opened.reader.units),
    }
    partition: dict[str, Json] = opened.partition.settings() | {"splits": opened.splits.settings()}
    if opened.limits is not None:
        partition["client_limits"] = {
            "minimum": opened.limits.minimum,
            "maximum": None if opened.limits.maximum >= NO_MAXIMUM else opened.limits.maximum,
            "counted": opened.limits.feature or "examples",
        }
    extra = dict(opened.reader.extra)
    asked = [
        manifest.FORMAT_VERSION,
        source,
        partition,
        extra,
        [feature.to_json() for feature in opened.reader.features],
        opened.reader.label_names,
        config.shards,
        config.shard_mb,
        opened.vocabulary,
        _vocabulary_file(opened.vocabulary),
    ]
    # What decides what is read: a request that lets more bad records pass goes on from it.
    reading = request = _digest(asked)
    if config.max_bad_records:  # Requests of older versions stay as they are.
        request = _digest([*asked, {"max_bad_records": config.max_bad_records}])
    return {
        "reading": reading,
        "source": source,
        "partition": partition,
        "extra": extra,
        "request": request,
        "command": config.command or shlex.join(sys.argv),
        "versions": versions.current(),
    }


def _digest(asked: list[Json]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _vocabulary_file(spec: str) -> str:
    """The content of file:PATH:N: the same name with other words is another request."""
    if not spec.startswith("file:"):
        return ""
    return checksums.of(Path(spec.removeprefix("file:").rpartition(":")[0]))


def make_job(opened: Opened, folder: Path, described: Mapping[str, Json]) -> Job:
    config = opened.config
    return Job(
        output=config.output,
        staging=folder,
        reader=opened.reader,
        features=features.checked(opened.reader.features),
        partition=opened.partition,
        splits=opened.splits,
        limits=opened.limits,
        max_bad_records=config.max_bad_records,
        shards=config.shards,
        shard_bytes=config.shard_mb << 20,
        spill_bytes=config.spill_mb << 20,
        vocabulary=opened.vocabulary,
        described=described,
    )


def prepare(
    config: PrepareConfig, announce: Callable[[str], None] = lambda sentence: None
) -> PreparedDataset:
    """Makes the dataset, or finds it finished; UserError on anything the user can mend."""
    return prepare_opened(open_source(config), announce)


def prepare_opened(
    opened: Opened, announce: Callable[[str], None] = lambda sentence: None
) -> PreparedDataset:
    """The same for a source that is open already, of your own making perhaps."""
    config = opened.config
    described = describe_request(opened)
    output = mirror.place(config.output).absolute()
    _publish_rest(config.output, output, described["request"])
    if check_output(opened, described["request"]):
        staging.sweep(output)
        announce(f"{config.output} holds exactly this dataset already: nothing to do")
        return open_dataset(config.output)
    expected = _expected(opened)
    tasks = pack_tasks(opened.reader)
    # What is kept of a task is of no use where the input was cut into others.
    reading = f"{described['reading']} in {len(tasks)}"
    with mirror.alone(config.output), staging.staging(output, reading) as folder:
        job, _ = _beam().run(
            make_job(opened, folder, described),
            tasks,
            workers=opened.workers,
            beam_options=config.beam_options,
            expected=expected,
        )
        if job.in_store:
            return open_dataset(config.output)
        files.reach("prepare_move")
        staging.move_into_place(job.dataset, output, overwrite=config.overwrite)
        files.reach("prepare_moved")
        mirror.publish(output, last=manifest.FILE_NAME, alone=config.overwrite)
    return open_dataset(config.output)


def _publish_rest(url: str, made: Path, request: str) -> None:
    """What a process did not come to that was killed, or met a failing store, at its very end."""
    if not mirror.is_remote(url) or not _is_whole(made, request):
        return
    if folder_of(url).status(manifest.FILE_NAME) is None:
        with mirror.alone(url):
            mirror.publish(made, last=manifest.FILE_NAME)


def _is_whole(folder: Path, request: str) -> bool:
    """Whether the dataset of a request is on this machine, with all of its bytes."""
    if not (folder / manifest.FILE_NAME).exists():
        return False
    found = manifest.read(folder)
    stored = [*found.other_files]
    for split in found.splits.values():
        stored += [split.index, *split.shards]
    sizes = LocalFolder(folder).sizes() if found.request == request else {}
    return all(sizes.get(file.file) == file.bytes for file in stored)


def _beam() -> ModuleType:
    """Imports Beam only when there is work for it, without its remarks on absent cloud tools."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return importlib.import_module("data_prep.grouping.running")
    finally:
        logging.disable(before)


def _expected(opened: Opened) -> int | None:
    """How many examples there will be, where it is known or worth a glance."""
    if opened.input_bytes < _GLANCE_BYTES:
        known = [unit.examples for unit in opened.reader.units]
        return None if None in known else sum(count or 0 for count in known)
    guess = estimation.estimate(opened)
    if guess is None:
        return None
    estimation.check_disk(opened, guess)
    return guess.examples


def check_output(opened: Opened, request: str = "") -> bool:
    """Whether the request's dataset is there; refuses an output that holds anything else."""
    folder = folder_of(opened.config.output)
    output = folder.address
    if not folder.holds_anything():
        return False
    if folder.path.is_file():
        raise UserError(f"--output={output} is a file; name a folder that does not exist yet")
    if not folder.bring(manifest.FILE_NAME).exists():
        raise UserError(f"--output={output} holds other files; name a folder that does not exist")
    if opened.config.overwrite:
        return False
    if manifest.read(folder.path).request == (request or describe_request(opened)["request"]):
        return True
    raise UserError(
        f"--output={output} holds a dataset made with other settings or from other input; "
        "name another folder, or give --overwrite"
    )


def describe(units: Iterable[WorkUnit]) -> dict[str, Json]:
    """{"files", "bytes", "fingerprint"} of the input that the units read."""
    units = list(units)
    paths = sorted({unit.path for unit in units if unit.path and os.path.isfile(unit.path)})
    root = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    state = hashlib.sha256()
    total = 0
    for path in paths:
        size, digest = _content(path)
        total += size
        state.update(f"{Path(os.path.relpath(path, root)).as_posix()}\0{size}\0{digest}\n".encode())
    for unit in units:
        state.update(f"{unit.id}\0{unit.start}\0{unit.stop}\n".encode())
    return {"files": len(paths), "bytes": total, "fingerprint": state.hexdigest()}


def _content(path: str) -> tuple[int, str]:
    try:
        status = os.stat(path)
        return status.st_size, _hashed(path, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


@functools.lru_cache(maxsize=4096)
def _hashed(path: str, size: int, modified: int, inode: int) -> str:
    return checksums.of(Path(path))
