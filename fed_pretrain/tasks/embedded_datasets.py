"""The dataset of a run: the user's folder, or the task's embedded data, prepared once."""

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from data_prep.store.reader import PreparedDataset, open_dataset
from fed_pretrain.tasks import known_tasks
from groundwork.errors import UserError
from groundwork.locks import StepLock
from groundwork.stores import mirror
from groundwork.untyped import Json

_PAUSE = 0.2
"""Seconds between two looks at whether another process is done."""


def open_for_task(task: str, dataset: str | None) -> PreparedDataset:
    """Opens `dataset`, or prepares the task's embedded data the first time it is wanted."""
    if dataset is not None:
        return open_dataset(dataset)
    settings = known_tasks.get(task).prepare
    if settings is None:
        raise UserError(
            f"--dataset is missing: task {task!r} has no embedded data; prepare yours with"
            " `python -m data_prep.prepare` and name its folder"
        )
    folder = to_prepare(task, dataset)
    if folder is not None:
        _prepare(task, settings, folder)
    return open_dataset(folder or embedded_folder(task, settings))


def to_prepare(task: str, dataset: str | None) -> Path | None:
    """The folder that `open_for_task` will make; None where it finds a dataset."""
    settings = known_tasks.get(task).prepare
    if dataset is not None or settings is None:
        return None
    folder = embedded_folder(task, settings)
    return None if (folder / "manifest.json").exists() else folder


def embedded_folder(task: str, settings: Mapping[str, Json]) -> Path:
    """A folder a set of settings: a changed default never meets an older dataset."""
    text = json.dumps(dict(settings), sort_keys=True, default=str)
    return (
        mirror.cache_folder()
        / "datasets"
        / f"{task}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    )


def _prepare(task: str, settings: Mapping[str, Json], folder: Path) -> None:
    from data_prep.preparing.preparation import PrepareConfig, prepare

    lock = StepLock(folder)
    if not lock.acquire():
        print(f"another process is preparing the data of task {task}: waiting", file=sys.stderr)
        while not lock.acquire():
            time.sleep(_PAUSE)
    try:
        if to_prepare(task, None) is not None:
            print(f"preparing the embedded data of task {task} (once) ...", file=sys.stderr)
            prepare(PrepareConfig(**settings, output=str(folder)))
    finally:
        lock.release()
