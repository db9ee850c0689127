"""FEMNIST made from NIST Special Database 19: the trees `by_write` and `by_class`.

`by_write` knows the writer, `by_class` the label; as in LEAF the two are joined by the md5 of the
PNG files, a file that is in several classes takes the first, and 128x128 images shrink to 28x28
by Lanczos without blur or crop (unlike EMNIST: do not mix the two). LEAF's doubled first images are
not made, unless `duplicates=keep` asks for LEAF's own numbers.
"""

import dataclasses
import functools
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing.pixels import UnreadableImage, decode, pixels
from data_prep.sources.public import femnist
from data_prep.sources.public.femnist_leaf import DUPLICATES_OPTION
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, slices
from groundwork.errors import UserError

_CLASS_FOLDER = re.compile(r"3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]")
_WRITER_FOLDER = re.compile(r"f\d{4}_\d{2}")


def class_index(folder: str) -> int:
    """Hex codes of the characters: 30-39 -> 0-9, 41-5a -> 10-35, 61-7a -> 36-61."""
    return femnist.LABEL_NAMES.index(chr(int(folder, 16)))


def _units(root: str) -> tuple[WorkUnit, ...]:
    """A unit is a tenth of the writers of one hsf folder."""
    found: list[WorkUnit] = []
    for part in _folders(Path(root) / "by_write"):
        writers = len(_folders(part))
        whole = WorkUnit(f"by_write/{part.name}", str(part))
        found += slices(whole, writers, max(1, -(-writers // 10)))
    return tuple(found)


def _read(root: str, duplicates: bool, unit: WorkUnit) -> Iterator[Item]:
    """Images by writer; a client's order is the order of its file names."""
    labels = _labels(root)
    for writer in _folders(Path(unit.path))[unit.start : unit.stop]:
        if not _WRITER_FOLDER.fullmatch(writer.name):
            yield BadRecord("unknown_folder", str(writer), None, "expected fWWWW_TT")
            continue
        doubles = duplicates and writer != _first_writer(root)
        for number, file in enumerate(_pngs(writer)):
            item = _item(writer.name, file, number + 1, labels)
            yield item
            if number == 0 and doubles and isinstance(item, Record):
                yield item._replace(order=0)


def _item(writer: str, file: Path, order: int, labels: Mapping[bytes, int]) -> Item:
    content = file.read_bytes()
    label = labels.get(hashlib.md5(content).digest())
    if label is None:
        return BadRecord("no_label", str(file), None, "no file of by_class has the same bytes")
    try:
        image = decode(content)
    except UnreadableImage as error:
        return BadRecord("unreadable_image", str(file), None, str(error))
    if image.size[0] != image.size[1]:
        return BadRecord("wrong_size", str(file), None, f"it is {image.size}, not square")
    shrunk = pixels(image.convert("L"), (femnist.SIDE, femnist.SIDE))
    return Record(writer, None, {"image": shrunk, "label": label}, order)


@functools.lru_cache(maxsize=1)
def _labels(root: str) -> dict[bytes, int]:
    """md5 of a PNG -> class, read once a process; about 100 MB for all of SD19."""
    found: dict[bytes, int] = {}
    for folder in _folders(Path(root) / "by_class"):
        if not _CLASS_FOLDER.fullmatch(folder.name):
            continue
        label = class_index(folder.name)
        for part in _folders(folder):
            if "hsf" not in part.name or "mit" in part.name:
                continue
            for file in _pngs(part):
                found.setdefault(hashlib.md5(file.read_bytes()).digest(), label)
    return found


@functools.lru_cache(maxsize=1)
def _first_writer(root: str) -> Path | None:
    return next((w for part in _folders(Path(root) / "by_write") for w in _folders(part)), None)


def _folders(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        return sorted(path / entry.name for entry in entries if entry.is_dir())


def _pngs(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*.png") if file.is_file())


def open_nist(pattern: str, options: Mapping[str, str]) -> SourceReader:
    root = Path(pattern)
    for tree in ("by_write", "by_class"):
        if not (root / tree).is_dir():
            raise UserError(
                f"--input={pattern}: no folder {tree}/ there (SD19 has by_write/ and by_class/)"
            )
    return SourceReader(
        femnist.features("uint8"),
        _units(str(root)),
        functools.partial(_read, str(root), options["duplicates"] == "keep"),
        femnist.LABEL_NAMES,
        {**femnist.extra("uint8"), "leaf_shrinking": True},
    )


SOURCE = Source(
    name="femnist_nist",
    summary="handwritten characters (62 classes) from NIST SD19 by_write + by_class, by writer",
    open=open_nist,
    input_summary="the folder that holds by_write/ and by_class/",
    options=(
        dataclasses.replace(
            DUPLICATES_OPTION,
            summary="LEAF's second copy of a writer's first image: not made, or made",
        ),
    ),
)
