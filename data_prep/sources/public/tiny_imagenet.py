"""Tiny ImageNet's folder: 200 classes of 64x64 JPEGs; the test images have no labels and stay out.

A class is the position of its wnid among the sorted wnids; `extra["wnids"]` leads to ImageNet's own
classes. Some files are greyscale: all become RGB.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing import pixels as images
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, slices
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError

SIDE = 64
_VALIDATION = "val/val_annotations.txt"
_LINES_A_UNIT = 1000


def _units(root: Path, wnids: tuple[str, ...]) -> tuple[WorkUnit, ...]:
    """train/ as train, val/ as test (the published test split has no labels)."""
    found = [WorkUnit(f"train/{wnid}", str(root / "train" / wnid), split="train") for wnid in wnids]
    annotations = root / _VALIDATION
    lines = _line_count(annotations) if annotations.exists() else 0
    validation = WorkUnit(_VALIDATION, str(annotations), split="test")
    return (*found, *slices(validation, lines, _LINES_A_UNIT))


def _read(wnids: tuple[str, ...], unit: WorkUnit) -> Iterator[Item]:
    return _train(wnids, unit) if unit.split == "train" else _validation(wnids, unit)


def _train(wnids: tuple[str, ...], unit: WorkUnit) -> Iterator[Item]:
    label = wnids.index(Path(unit.path).name)
    files = sorted((Path(unit.path) / "images").glob("*.JPEG"), key=_number)
    if not files:
        yield BadRecord("missing_images", unit.path, None, "no images/*.JPEG there")
    for file in files:
        yield _item(file, "train", label, _number(file)[0])


def _validation(wnids: tuple[str, ...], unit: WorkUnit) -> Iterator[Item]:
    classes = {wnid: label for label, wnid in enumerate(wnids)}
    with open(unit.path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if not unit.start <= number < (unit.stop or 0) or not line.strip():
                continue
            name, _, rest = line.rstrip("\n").partition("\t")
            wnid = rest.partition("\t")[0]
            if wnid not in classes:
                detail = f"the class {wnid!r} is not in wnids.txt"
                yield BadRecord("wrong_label", unit.path, number + 1, detail)
                continue
            path = Path(unit.path).parent / "images" / Path(name).name
            yield _item(path, "test", classes[wnid], number)


def _item(path: Path, split: str, label: int, order: int) -> Item:
    try:
        pixels = images.pixels(images.read_image(path, "RGB"))
    except (images.UnreadableImage, OSError) as error:
        return BadRecord("unreadable_image", str(path), None, str(error))
    if pixels.shape != (SIDE, SIDE, 3):
        return BadRecord("wrong_size", str(path), None, f"it is {pixels.shape}, not 64x64")
    return Record(None, split, {"image": pixels, "label": label}, order)


def _number(file: Path) -> tuple[int, str]:
    """n01443537_10.JPEG comes after n01443537_9.JPEG."""
    digits = file.stem.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, file.name)


def _line_count(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def open_folder(pattern: str, options: Mapping[str, str]) -> SourceReader:
    root = Path(pattern)
    if not (root / "wnids.txt").is_file() and (root / "tiny-imagenet-200").is_dir():
        root /= "tiny-imagenet-200"
    if not (root / "wnids.txt").is_file():
        raise UserError(
            f"--input={pattern}: no wnids.txt there (name the folder tiny-imagenet-200)"
        )
    try:
        wnids = tuple(sorted((root / "wnids.txt").read_text("utf-8").split()))
    except UnicodeDecodeError as error:
        raise UserError(f"{root / 'wnids.txt'} is not UTF-8: {error}") from error
    if not wnids or len(set(wnids)) != len(wnids):
        raise UserError(f"{root / 'wnids.txt'} is empty or names a class twice")
    for wnid in wnids:
        if not (root / "train" / wnid).is_dir():
            raise UserError(f"{root}: wnids.txt names {wnid}, but there is no train/{wnid}/")
    words = _words(root / "words.txt")
    return SourceReader(
        (FeatureSpec("image", "image", (SIDE, SIDE, 3)), FeatureSpec("label", "int64")),
        _units(root, wnids),
        functools.partial(_read, wnids),
        tuple(words.get(wnid, wnid) for wnid in wnids),
        {"wnids": list(wnids)},
        splits=("train", "test"),
        natural=False,
    )


def _words(path: Path) -> dict[str, str]:
    """The first name of each class; two classes of one name keep their wnid beside it."""
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", errors="replace") as file:
        pairs = (line.rstrip("\n").partition("\t") for line in file)
        return {wnid: f"{names.split(',')[0].strip()} ({wnid})" for wnid, _, names in pairs}


SOURCE = Source(
    name="tiny_imagenet",
    summary="Tiny ImageNet (200 classes of 64x64 photos), from its folder",
    open=open_folder,
    input_summary="the folder tiny-imagenet-200",
)
