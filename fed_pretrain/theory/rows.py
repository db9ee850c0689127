"""The laboratory's data as JSON lines, for `data_prep.prepare --source=jsonl` and the TFF task."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fed_pretrain.theory import data
from fed_pretrain.theory.setting import Problem, Setting, labels
from groundwork import files
from groundwork.untyped import Json


def training_rows(problem: Problem, setting: Setting, seed: int) -> Iterator[dict[str, Json]]:
    """A row per sample: client_id, split, label, x = [signal patch, noise patch]."""
    draw = data.draw(problem, seed)
    for client, own in enumerate(labels(problem, setting.h)):
        x = rows_of(problem, setting, own, draw.noise[client])
        for label, values in zip(own, x, strict=True):
            yield _row(f"client_{client}", "train", label, values)


def test_rows(problem: Problem, setting: Setting, seed: int) -> Iterator[dict[str, Json]]:
    draw = data.draw(problem, seed)
    x = rows_of(problem, setting, draw.test_labels, draw.test_noise)
    for label, values in zip(draw.test_labels, x, strict=True):
        yield _row("test", "test", label, values)


test_rows.__test__ = False  # type: ignore[attr-defined]


def rows_of(
    problem: Problem, setting: Setting, own: np.ndarray, unit_noise: np.ndarray
) -> np.ndarray:
    """[samples, 2 d], float32."""
    signal = setting.signal * data.signals(problem)[own]
    return np.concatenate([signal, setting.noise * unit_noise], axis=1).astype(np.float32)


def write(path: str, h: float, signal: float, seed: int) -> int:
    """Writes a run of the protocol's sizes; the number of rows."""
    problem, setting = Problem(), Setting(h=h, signal=signal)
    both = (training_rows(problem, setting, seed), test_rows(problem, setting, seed))
    lines = [json.dumps(row) + "\n" for row in itertools.chain(*both)]
    files.write_text(Path(path), "".join(lines))
    return len(lines)


def _row(client: str, split: str, label: int, x: np.ndarray) -> dict[str, Json]:
    return {"client_id": client, "split": split, "label": int(label), "x": x.tolist()}
