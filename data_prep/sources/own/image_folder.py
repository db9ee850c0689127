"""Your own image folder: clients and labels from a CSV with a client column, or from folders."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.own.columns import SPLITS
from data_prep.sources.parsing import table_rows
from data_prep.sources.parsing.pixels import SUFFIXES, UnreadableImage, asked_size, decode, pixels
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError

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


def _units(path: str, count: int) -> Iterator[WorkUnit]:
    for start in range(0, count, IMAGES_A_UNIT):
        stop = min(start + IMAGES_A_UNIT, count)
        yield WorkUnit(f"images@{start}", path, start, stop, examples=stop - start)


def _read(
    root: str,
    listing: str,
    options: Mapping[str, str],
    shape: tuple[int, int, int],
    label_names: tuple[str, ...],
    unit: WorkUnit,
) -> Iterator[Item]:
    """Images by client; a client's order is the order of their paths or CSV lines."""
    labels = {name: number for number, name in enumerate(label_names)}
    entries = _entries(root, listing, tuple(sorted(options.items())))
    for order, listed in enumerate(entries[unit.start : unit.stop], start=unit.start):
        if isinstance(listed, BadRecord):
            yield listed
            continue
        path = Path(root) / listed.path
        try:
            image = decode(path.read_bytes(), options["mode"])
        except (UnreadableImage, OSError) as error:
            yield BadRecord("unreadable_image", str(path), listed.line, str(error))
            continue
        found = pixels(image, shape[:2] if options["size"] else None)
        if found.shape != shape:
            detail = f"it is {found.shape}, not {shape}: set size=HEIGHTxWIDTH"
            yield BadRecord("wrong_size", str(path), None, detail)
            continue
        features = {"image": found, "label": labels[listed.label]}
        yield Record(listed.client, listed.split, features, order)


@functools.lru_cache(maxsize=1)
def _entries(
    root: str, listing: str, options: tuple[tuple[str, str], ...]
) -> tuple[Listed | BadRecord, ...]:
    """The whole listing, made once a process, not once a unit."""
    asked = dict(options)
    return tuple(_from_csv(listing, asked) if listing else _from_folders(root, asked["layout"]))


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


def open_folder(pattern: str, options: Mapping[str, str]) -> SourceReader:
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
    _entries.cache_clear()  # It may be of before.
    entries = _entries(str(root), listing, tuple(sorted(options.items())))
    images_found = [entry for entry in entries if isinstance(entry, Listed)]
    if not images_found:
        why = (
            f"{listing} names none" if listing else f"wanted are {options['layout']}/*.png (or jpg)"
        )
        raise UserError(f"--input={pattern}: no image is there; {why}")
    shape = _shape(root, images_found, options)
    label_names = tuple(sorted({entry.label for entry in images_found}))
    return SourceReader(
        (FeatureSpec("image", "image", shape), FeatureSpec("label", "int64")),
        tuple(_units(listing or str(root), len(entries))),
        functools.partial(_read, str(root), listing, dict(options), shape, label_names),
        label_names,
        splits=tuple(sorted({entry.split for entry in images_found if entry.split})),
        natural=any(entry.client is not None for entry in images_found),
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
        return *asked_size(options["size"]), channels
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
