"""Plain text files, for instance the WikiText-103 folder: one client, or one a file or article."""

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.sources.items import Item, Record
from data_prep.sources.parsing import compressed, fields
from data_prep.sources.parsing.table_rows import Line, line_units, parts, position, read_lines
from data_prep.sources.parsing.vocabulary import COUNTED
from data_prep.sources.source import Source, SourceOption, SourceReader
from data_prep.sources.work_units import WorkUnit, input_files, splits_of
from data_prep.store.features import FeatureSpec

_ARTICLE = re.compile(r"= ([^=].*[^=]|[^=]) =")


def _read(clients: str, unit: WorkUnit) -> Iterator[Item]:
    """Lines (blank ones left out) or paragraphs by the chosen client."""
    file_client = unit.id.partition("@")[0]
    client = {"one": "all", "file": file_client, "article": f"{file_client}#0"}[clients]
    articles = 0

    def records(line: Line) -> Iterator[Item]:
        nonlocal client, articles
        try:
            text = line.content.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise fields.BadField("not_utf8", str(error)) from None
        if clients == "article" and _ARTICLE.fullmatch(text):
            articles += 1
            client = f"{file_client}#{articles}"
        yield Record(client, unit.split, {"text": text}, position(unit, line.offset))

    return fields.items(read_lines(unit), records)


def open_text(pattern: str, options: Mapping[str, str]) -> SourceReader:
    files = input_files(pattern)
    # An article's number counts from the file's start: such a file stays in one piece.
    whole = options["clients"] == "article"
    units = line_units(files, slice_bytes=1 << 62) if whole else line_units(files)
    if options["splits"] == "names":
        units = tuple(dataclasses.replace(unit, split=_split(unit.path)) for unit in units)
    return SourceReader(
        (FeatureSpec("text", "text"),),
        units,
        functools.partial(_read, options["clients"]),
        extra={"clients": options["clients"]},
        splits=splits_of(units),
        parts=None if whole else parts,
    )


def _split(path: str) -> str | None:
    """wiki.train.tokens -> train: the part of the file's name that names a split."""
    parts = re.split(r"[._-]", compressed.stem(Path(path)).lower())
    return next((fields.SPLITS[part] for part in parts if part in fields.SPLITS), None)


SOURCE = Source(
    name="text_files",
    summary="plain text, one example a line (a WikiText-103 folder, your own corpus)",
    open=open_text,
    vocabulary=COUNTED,
    input_summary="a file, folder or glob (may be .gz, .bz2, .xz, .zst)",
    options=(
        SourceOption(
            "clients",
            "who owns the lines: one client, each file, or each WikiText article (= Title =)",
            default="file",
            choices=("one", "file", "article"),
        ),
        SourceOption(
            "splits",
            "names: a file with train, valid or test in its name is that split",
            default="names",
            choices=("names", "none"),
        ),
    ),
)
