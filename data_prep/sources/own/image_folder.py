"""Your own image folder: clients and labels from a CSV with a client column, or from folders."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.own.columns import SPLITS
from data_prep.sources.parsing import fields, table_rows
from data_prep.sources.parsing.pixels import SUFFIXES, UnreadableImage, pixels, read_image
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, slices
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


def _read(
    root: str,
    listing: str,
    options: Mapping[str, str],
    shape: tuple[int, ...],
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
            image = read_image(path, options["mode"])
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
    def listed(row: table_rows.TableRow) -> Iterator[Listed]:
        values = row.values
        client = values[options["client"]] if options["client"] else None
        split = SPLITS.get(values["split"].lower(), "") if "split" in values else None
        if "" in (client, split):
            what = "client" if client == "" else "split"
            raise fields.BadField("missing_field", f"it names no {what}")
        path, label = values[options["file"]], values[options["label"]]
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise fields.BadField("wrong_path", f"{path!r} leaves the folder")
        yield Listed(path, row.line(), client, label, split)

    return fields.items(table_rows.csv_rows(WorkUnit("metadata", listing)), listed)


def _from_folders(root: str, layout: str) -> Iterator[Listed | BadRecord]:
    places = layout.split("/")
    found = Path(root).rglob("*")
    files = (file for file in found if file.suffix.lower() in SUFFIXES and file.is_file())
    for path in sorted(file.relative_to(root).as_posix() for file in files):
        folders = path.split("/")[:-1]
        if len(folders) != len(places):
            yield BadRecord("wrong_path", f"{root}/{path}", None, f"it is not in {layout}/")
            continue
        known = dict(zip(places, folders, strict=True))
        split = SPLITS.get(known["split"].lower(), "") if "split" in known else None
        if split == "":
            yield BadRecord(
                "wrong_path", f"{root}/{path}", None, f"{known['split']!r} is not a split"
            )
            continue
        yield Listed(path, None, known.get("client"), known["label"], split)


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
    whole = WorkUnit("images", listing or str(root), examples=len(entries))
    return SourceReader(
        (FeatureSpec("image", "image", shape), FeatureSpec("label", "int64")),
        tuple(slices(whole, len(entries), IMAGES_A_UNIT)),
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


def _shape(root: Path, found: list[Listed], options: Mapping[str, str]) -> tuple[int, ...]:
    channels = MODES[options["mode"]]
    if options["size"]:
        return *fields.sizes("size", options["size"], "64x64"), channels
    why = ""
    for entry in found:
        try:
            image = read_image(root / entry.path)
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
