"""Your own image folder: clients and labels from a CSV with a client column, or from folders."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.sources.own.columns import SPLITS
from data_prep.sources.parsing import table_rows
from data_prep.sources.parsing.pixels import LANCZOS, SUFFIXES, UnreadableImage, decode
from data_prep.sources.source import BadRecord, Item, Record, Source, SourceOption, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Json

IMAGES_A_UNIT = 5000
MODES = {"RGB": 3, "L": 1}
_PLACES = ("client", "label", "split", "_")


class Listed(NamedTuple):
    """One image of the folder and what is known of it."""

    path: str
    line: int | None
    client: str | None
    label: str
    split: str | None


@dataclasses.dataclass(frozen=True)
class ImageFolderReader:
    """Images by client; a client's order is the order of their paths or CSV lines."""

    root: str
    listing: str
    options: Mapping[str, str]
    mode: str
    features: tuple[FeatureSpec, ...]
    label_names: tuple[str, ...]
    count: int
    natural: bool
    splits: tuple[str, ...]
    extra: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def units(self) -> list[WorkUnit]:
        return [
            WorkUnit(
                f"images@{start}",
                self.listing or self.root,
                start,
                min(start + IMAGES_A_UNIT, self.count),
                examples=min(IMAGES_A_UNIT, self.count - start),
            )
            for start in range(0, self.count, IMAGES_A_UNIT)
        ]

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        labels = {name: number for number, name in enumerate(self.label_names)}
        height, width, _ = self.features[0].shape
        entries = _entries(self.root, self.listing, tuple(sorted(self.options.items())))
        for order, listed in enumerate(entries[unit.start : unit.stop], start=unit.start):
            if isinstance(listed, BadRecord):
                yield listed
                continue
            try:
                content = (Path(self.root) / listed.path).read_bytes()
                pixels = _pixels(content, self.mode, bool(self.options["size"]), height, width)
            except (UnreadableImage, OSError) as error:
                where = str(Path(self.root) / listed.path)
                yield BadRecord("unreadable_image", where, listed.line, str(error))
                continue
            if pixels.shape != self.features[0].shape:
                detail = (
                    f"it is {pixels.shape}, not {self.features[0].shape}: set size=HEIGHTxWIDTH"
                )
                yield BadRecord("wrong_size", str(Path(self.root) / listed.path), None, detail)
                continue
            features = {"image": pixels, "label": labels[listed.label]}
            yield Record(listed.client, listed.split, features, order)


def _pixels(content: bytes, mode: str, resize: bool, height: int, width: int) -> np.ndarray:
    image = decode(content, mode)
    if resize and image.size != (width, height):
        image = image.resize((width, height), LANCZOS)
    array = np.asarray(image, dtype=np.uint8)
    return array if array.ndim == 3 else array[..., np.newaxis]


@functools.lru_cache(maxsize=1)
def _entries(
    root: str, listing: str, options: tuple[tuple[str, str], ...]
) -> tuple[Listed | BadRecord, ...]:
    """The whole listing, made once a process, not once a unit."""
    return tuple(_listed(root, listing, dict(options)))


def _listed(root: str, listing: str, options: Mapping[str, str]) -> Iterator[Listed | BadRecord]:
    return _from_csv(listing, options) if listing else _from_folders(root, options["layout"])


def _from_csv(listing: str, options: Mapping[str, str]) -> Iterator[Listed | BadRecord]:
    for row in table_rows.csv_rows(WorkUnit("metadata", listing)):
        if isinstance(row, BadRecord):
            yield row
            continue
        client = row.values[options["client"]] if options["client"] else None
        split = row.values.get("split") if "split" in row.values else None
        if client == "" or (split is not None and split.lower() not in SPLITS):
            what = "client" if client == "" else "split"
            yield BadRecord("missing_field", listing, row.line(), f"it names no {what}")
            continue
        path, label = row.values[options["file"]], row.values[options["label"]]
        if Path(path).is_absolute() or ".." in Path(path).parts:
            yield BadRecord("wrong_path", listing, row.line(), f"{path!r} leaves the folder")
            continue
        yield Listed(path, row.line(), client, label, SPLITS[split.lower()] if split else None)


def _from_folders(root: str, layout: str) -> Iterator[Listed | BadRecord]:
    places = layout.split("/")
    named = (file for file in Path(root).rglob("*") if file.suffix.lower() in SUFFIXES)
    files = (file for file in named if file.is_file())
    for path in sorted(file.relative_to(root).as_posix() for file in files):
        folders = path.split("/")[:-1]
        if len(folders) != len(places):
            yield BadRecord("wrong_path", f"{root}/{path}", None, f"it is not in {layout}/")
            continue
        known = dict(zip(places, folders, strict=True))
        split = known.get("split")
        if split is not None and split.lower() not in SPLITS:
            yield BadRecord("wrong_path", f"{root}/{path}", None, f"{split!r} is no split")
            continue
        yield Listed(
            path,
            None,
            known.get("client"),
            known["label"],
            SPLITS[split.lower()] if split else None,
        )


def open_folder(pattern: str, options: Mapping[str, str]) -> ImageFolderReader:
    root = Path(pattern)
    if not root.is_dir():
        raise UserError(f"--input={pattern}: name the folder of the images")
    listing = _listing(root, options)
    places = options["layout"].split("/")
    if not listing and ("label" not in places or not set(places) <= set(_PLACES)):
        raise UserError(
            f"--source_options=layout={options['layout']}: name the folders from outside in, like "
            "client/label or split/client/label, with `label` among them"
        )
    entries = list(_listed(str(root), listing, options))  # fresh: the cache may be of before
    _entries.cache_clear()
    images_found = [entry for entry in entries if isinstance(entry, Listed)]
    if not images_found:
        why = (
            f"{listing} names none" if listing else f"wanted are {options['layout']}/*.png (or jpg)"
        )
        raise UserError(f"--input={pattern}: no image is there; {why}")
    return ImageFolderReader(
        root=str(root),
        listing=listing,
        options=dict(options),
        mode=options["mode"],
        features=(
            FeatureSpec("image", "image", _shape(root, images_found, options)),
            FeatureSpec("label", "int64"),
        ),
        label_names=tuple(sorted({entry.label for entry in images_found})),
        count=len(entries),
        natural=any(entry.client is not None for entry in images_found),
        splits=tuple(sorted({entry.split for entry in images_found if entry.split})),
    )


def _listing(root: Path, options: Mapping[str, str]) -> str:
    path = root / (options["metadata"] or "metadata.csv")
    if not path.is_file():
        if options["metadata"]:
            raise UserError(f"--source_options=metadata={path.name}: no such file in {root}")
        return ""
    header = table_rows.csv_header(str(path))
    for option in ("file", "label", "client"):
        if options[option] and options[option] not in header:
            raise UserError(f"{path}, line 1: no column {options[option]!r} (option {option})")
    return str(path)


def _shape(root: Path, found: list[Listed], options: Mapping[str, str]) -> tuple[int, int, int]:
    channels = MODES[options["mode"]]
    if options["size"]:
        height, _, width = options["size"].partition("x")
        if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
            raise UserError(f"--source_options=size={options['size']}: write it like 64x64")
        return int(height), int(width), channels
    why = ""
    for entry in found:
        try:
            image = decode((root / entry.path).read_bytes())
        except (UnreadableImage, OSError) as error:
            why = why or f"{entry.path}: {getattr(error, 'strerror', error)}"
            continue
        return image.size[1], image.size[0], channels
    raise UserError(f"--input={root}: no image there can be read ({why})")


SOURCE = Source(
    name="image_folder",
    summary="your own images, clients from metadata.csv or from folder names",
    open=open_folder,
    input_summary="the folder of the images",
    options=(
        SourceOption("metadata", "CSV in the folder (default metadata.csv, where there is one)"),
        SourceOption("client", "its client column; empty: none", default="client_id"),
        SourceOption("label", "its label column", default="label"),
        SourceOption("file", "its column of paths below the folder", default="file_name"),
        SourceOption("layout", "without a CSV: what the folders name", default="client/label"),
        SourceOption("size", "HEIGHTxWIDTH to resize to; empty: all must be as the first"),
        SourceOption("mode", "colour or grey", default="RGB", choices=tuple(MODES)),
    ),
)
