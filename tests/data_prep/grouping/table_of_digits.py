"""Real digits as CSV files with a client and an order column, in any file and line order."""

import random
from pathlib import Path

from sklearn.datasets import load_digits

from data_prep.store.reader import PreparedDataset

COLUMNS = "client_id,when,label,text"
OPTIONS = {"order": "when", "label": "label", "text": "text"}


def lines() -> list[str]:
    digits = load_digits()
    return [
        f"writer{row // 30:02d},{row % 17},{label},{' '.join(str(int(p)) for p in pixels[20:40])}"
        for row, (pixels, label) in enumerate(zip(digits.data, digits.target, strict=True))
    ]


def write(folder: Path, *, files: int = 4, shuffle: int | None = None) -> Path:
    """Writes the table in `files` pieces; `shuffle` reorders lines, and so the pieces."""
    folder.mkdir(parents=True)
    rows = lines()
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
    for number in range(files):
        part = rows[number::files]
        (folder / f"part{number}.csv").write_text("\n".join([COLUMNS, *part]) + "\n")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset but its manifest, by name."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }


def account(dataset: PreparedDataset) -> dict:
    """The manifest without what names the input's files."""
    value = dataset.manifest.to_json()
    for name in ("command", "created", "source", "request"):
        del value[name]
    return value
