"""The work directory of a run: who it belongs to, what it says of itself, when it is finished."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fed_pretrain.experiment.assembly import private_run
from fed_pretrain.experiment.assembly.exclusion import EXCLUDED_CLIENTS
from fed_pretrain.experiment.assembly.run_config import RunConfig, identity_on_disk
from fed_pretrain.experiment.workdir import metrics
from groundwork import files, from_json, versions
from groundwork.errors import UserError
from groundwork.files import defined
from groundwork.settings import differences, digest, without_neutral
from groundwork.stores import mirror
from groundwork.untyped import Json

if TYPE_CHECKING:
    from fed_pretrain.experiment.assembly.assemble import Assembly

CONFIG, SUCCESS = "config.json", "SUCCESS"
FORMAT = 2
_STORAGE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


def check_place(path: str) -> None:
    """Refuses a place where `create` would fail, and makes nothing."""
    place = Path(path).absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise UserError(f"--workdir={path}: {place} is a file, and a folder is wanted")
    if not os.access(place, os.W_OK):
        raise UserError(f"--workdir={path}: {place} cannot be written (permission denied)")


def create(path: str) -> Path:
    """Makes the folder; refuses a place that cannot be written."""
    check_place(path)
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "probes").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"--workdir={path}: cannot be written ({error.strerror})") from error
    return folder


def remove_leftovers(folder: Path) -> None:
    """Those of writers that were killed; the caller holds the lock that a live writer would hold.

    The folders of single rounds in `probes` have locks of their own.
    """
    for place in (folder, folder / "probes"):
        for leftover in place.glob(f"{files.TEMPORARY_PREFIX}*"):
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def storage_faults(folder: Path) -> Iterator[None]:
    """A disk that is full or gone read-only becomes one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE_FAULTS:
            raise
        raise UserError(
            f"--workdir={folder}: cannot be written ({error.strerror}); what was saved before is"
            " whole, make room and give the same command again"
        ) from error


@contextlib.contextmanager
def nothing_half(folder: Path) -> Iterator[None]:
    """A run that fails before its first row leaves the folder as it found it.

    The caller holds the folder's lock.
    """
    before = {path.name for path in folder.iterdir()} - {"lock", "probes"}
    try:
        yield
    except BaseException:
        if CONFIG not in before and not metrics.read_rows(folder / "metrics.jsonl"):
            for path in folder.iterdir():
                if path.name in before:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it holds something else
                folder.rmdir()
        raise


def claim(folder: Path, assembly: Assembly) -> None:
    """Writes config.json and start.json, or refuses when the folder holds another run."""
    path = folder / CONFIG
    before = _read(path)
    used = [versions.current()]
    if before is not None:
        _refuse_another(path, before, assembly)
        _refuse_fewer_rounds(folder, assembly.config.work.rounds)
        used = _used_versions(path, before, used[0], strict=assembly.config.saving.strict)
    files.remove(folder / SUCCESS)
    privacy = private_run.statement(assembly.config)
    files.write_json(
        path,
        {
            "format": FORMAT,
            "asked": dataclasses.asdict(assembly.given),
            "config": dataclasses.asdict(assembly.config),
            "identity": assembly.identity,
            "hash": digest(assembly.identity),
            "dataset_fingerprint": assembly.task.dataset.fingerprint,
            **_partition_law(assembly.task.dataset.manifest.partition),
            "start_digest": assembly.start.digest,
            "clients_left_out": len(assembly.exclusion.client_ids),
            **({"privacy": privacy} if privacy else {}),
            "versions": used,
            "command": " ".join(map(shlex.quote, sys.argv)),
        },
    )
    if assembly.exclusion.client_ids:
        ids = sorted(assembly.exclusion.client_ids)
        files.write_json(folder / EXCLUDED_CLIENTS, ids)
    report = {**assembly.start.report.as_json(), "proxies": list(assembly.proxies)}
    files.write_json(folder / "start.json", report)


def _partition_law(partition: Mapping[str, Json]) -> dict[str, Json]:
    """What clients were drawn from, where a partition has several laws, and how far they are off.

    The deviation is the share of a client's training examples that carry other labels than drawn.
    """
    drawn = partition.get("drawn", {})
    off = drawn.get("mean_deviation", {}).get("train")
    told = {"partition_law": drawn.get("law"), "partition_deviation": off}
    return {name: value for name, value in told.items() if value is not None}


def _refuse_another(path: Path, before: Mapping[str, Json], assembly: Assembly) -> None:
    changed = differences(identity_on_disk(before), assembly.identity)
    if changed:
        undo = _flags_to_undo(before.get("asked", {}), assembly.given, changed) or changed
        raise UserError(
            f"{path}: this folder holds another run; give another --workdir, or undo: "
            + "; ".join(undo)
        )


def _flags_to_undo(asked: Mapping[str, Json], now: RunConfig, changed: Sequence[str]) -> list[str]:
    """The flags that made the difference, as typed; what follows from them is left out."""
    names = {one.partition(":")[0].rpartition(".")[2] for one in changed}
    if "alignment" in names:
        names.add("probes")  # which decide whether there is any
    given = json.loads(json.dumps(dataclasses.asdict(now), default=str))
    return [
        f"--{name}={old}, now {new}"
        for name, old, new in _leaves(asked, given)
        if name in names and old is not None and old != new
    ]


def _leaves(
    before: Mapping[str, Json], now: Mapping[str, Json]
) -> Iterator[tuple[str, Json, Json]]:
    """Every setting with its value before and now."""
    for name, old in before.items():
        if isinstance(old, Mapping):
            yield from _leaves(old, now.get(name) or {})
        else:
            yield name, old, now.get(name)


def _used_versions(
    path: Path, before: Mapping[str, Json], now: dict[str, str], strict: bool
) -> list[dict[str, str]]:
    """The versions that worked on the run, in order; reports, or refuses, new ones."""
    used: list[dict[str, str]] = before.get("versions", [])
    # What an older version did not record is not a difference.
    known = {name: value for name, value in now.items() if used and name in used[-1]}
    changed = differences(used[-1], known) if used else []
    if not changed:
        return used or [now]
    sentence = f"{path}: the run was made by other versions: {'; '.join(changed)}"
    if strict:
        raise UserError(f"{sentence}; use those, or leave out --strict to continue with these")
    print(f"warning: {sentence}", file=sys.stderr)
    return [*used, now]


def _refuse_fewer_rounds(folder: Path, rounds: int) -> None:
    """The rounds of a run are never cut off: nobody asked to lose them."""
    rows = metrics.read_rows(folder / "metrics.jsonl")
    done = rows[-1]["round"] if rows else 0
    if done > rounds:
        raise UserError(
            f"--rounds={rounds}: {folder} holds {done} rounds already; give --rounds={done} or "
            "more to keep them, or another --workdir"
        )


def _read(path: Path) -> dict[str, Json] | None:
    try:
        return from_json.record(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); remove it to begin anew") from error


def as_begun(folder: Path, config: RunConfig) -> RunConfig:
    """The config with the padding of the run in `folder`, where nobody says another.

    Runs were padded before that could be left to the executor.
    """
    before = _read(folder / CONFIG)
    if before is None or config.executor.pad_batches is not None:
        return config
    padded = before.get("config", {}).get("executor", {}).get("pad_batches", True)
    executor = dataclasses.replace(config.executor, pad_batches=padded)
    return dataclasses.replace(config, executor=executor)


def finished(folder: Path, config: RunConfig) -> Sequence[Mapping[str, Json]] | None:
    """The rows of a run that is done as asked; None when there is something left to do.

    Cheap on purpose: it compares the flags, not the resolved run, so that repeating a finished
    command costs no model. Anything that differs goes the long way and is checked there.
    """
    success, saved = _read(folder / SUCCESS), _read(folder / CONFIG)
    if success is None or saved is None or success.get("flags") != flags_digest(config):
        return None
    broken = [name for name, sha in success["sha256"].items() if _sha256(folder / name) != sha]
    if broken:
        print(
            f"warning: {folder / broken[0]} has changed since the run; redoing it from the last"
            " checkpoint",
            file=sys.stderr,
        )
        return None
    return metrics.read_rows(folder / "metrics.jsonl")


def check_dataset(folder: Path, path: str | None, fingerprint: str | None) -> None:
    """Refuses a dataset that has taken the place of the one that the run in `folder` is of."""
    before = (_read(folder / CONFIG) or {}).get("dataset_fingerprint")
    if before and fingerprint and before != fingerprint:
        raise UserError(
            f"--dataset={path}: the run in {folder} was made of another dataset, which this one has"
            f" replaced (fingerprint {before[:12]} -> {fingerprint[:12]}); give another --workdir,"
            " or prepare that dataset again"
        )


def identity_tags(folder: Path) -> dict[str, str]:
    """What says exactly which run a folder holds."""
    saved = _read(folder / "config.json") or {}
    names = {"hash": "run", "dataset_fingerprint": "dataset", "start_digest": "start"}
    return {f"{tag}_identity": str(saved[name]) for name, tag in names.items() if name in saved}


def success_facts(folder: Path) -> dict[str, Json]:
    """What SUCCESS says of the run; empty before it is finished."""
    return _read(folder / SUCCESS) or {}


def flags_digest(config: RunConfig) -> str:
    """Hash of the config as the user gave it, without where it runs.

    A flag that is not given counts as absent, so a version with more flags gives the same hash.
    """
    values = without_neutral(type(config), dataclasses.asdict(config), moving_only=False)
    for name in ("workdir", "executor", "saving", "tracking"):
        values.pop(name, None)
    values["mixed_precision"] = config.executor.mixed_precision
    return digest(values)


def write_success(
    folder: Path, flags: str, names: Sequence[str], facts: Mapping[str, Json]
) -> None:
    """The last file of a run: what a reader may trust, with checksums."""
    checksums = {name: _sha256(folder / name) for name in sorted(names)}
    mirror.publish(folder)
    files.write_json(folder / SUCCESS, {"flags": flags, "sha256": checksums, **facts})


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def model_facts(assembly: Assembly) -> dict[str, Json]:
    """What a checkpoint says of its model, so that a start needs nothing but the file."""
    return {
        **assembly.start.checkpoint_facts,
        "dataset_fingerprint": assembly.task.dataset.fingerprint,
        "start": assembly.config.start.spec,
    }


def of_start(assembly: Assembly) -> dict[str, Json]:
    """The provenance of what was measured before a run."""
    return {
        **model_facts(assembly),
        "start_digest": assembly.start.digest,
        "seed": assembly.config.seed,
        "versions": versions.current(),
        "where": "the start, before any update",
    }


def of_round(assembly: Assembly, round_number: int) -> dict[str, Json]:
    """The provenance of what was measured of a run's weights, of this round or up to it."""
    where = f"after round {round_number}"
    return {**of_start(assembly), "where": where, "round": round_number}


def write(
    folder: Path, file: str, content: Mapping[str, Json], provenance: Mapping[str, Json]
) -> dict[str, Json]:
    """FILE.json in the folder, an undefined number as null; returns what was written."""
    written: dict[str, Json] = defined({**content, "provenance": provenance})
    files.write_json(folder / f"{file}.json", written)
    return written
