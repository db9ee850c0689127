"""Plain text files, for instance the WikiText-103 folder: one client, or one a file or article."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.sources.parsing import compressed
from data_prep.sources.parsing.table_rows import line_number, line_units, position, read_lines
from data_prep.sources.parsing.vocabulary import COUNTED
from data_prep.sources.source import (
    BadRecord,
    Item,
    Record,
    Source,
    SourceOption,
    WorkUnit,
    input_files,
)
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Json

_ARTICLE = re.compile(r"= ([^=].*[^=]|[^=]) =")
_SPLIT_NAMES = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class TextFilesReader:
    """Lines (blank ones left out) or paragraphs by the chosen client."""

    work: tuple[WorkUnit, ...]
    clients: str
    features: tuple[FeatureSpec, ...] = (FeatureSpec("text", "text"),)
    label_names: tuple[str, ...] | None = None
    extra: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(sorted({unit.split for unit in self.work if unit.split}))

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        file_client = unit.id.partition("@")[0]
        client = {"one": "all", "file": file_client, "article": f"{file_client}#0"}[self.clients]
        articles = 0
        for line in read_lines(unit):
            if isinstance(line, BadRecord):
                yield line
                continue
            try:
                text = line.content.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                number = line_number(unit, line.number)
                yield BadRecord("not_utf8", unit.path, number, str(error))
                continue
            if self.clients == "article" and _ARTICLE.fullmatch(text):
                articles += 1
                client = f"{file_client}#{articles}"
            yield Record(client, unit.split, {"text": text}, position(unit, line.offset))


def open_text(pattern: str, options: Mapping[str, str]) -> TextFilesReader:
    files = input_files(pattern)
    # An article's number counts from the file's start: such a file stays in one piece.
    whole = options["clients"] == "article"
    units = line_units(files, slice_bytes=1 << 62) if whole else line_units(files)
    if options["splits"] == "names":
        units = [dataclasses.replace(unit, split=_split(unit.path)) for unit in units]
    return TextFilesReader(tuple(units), options["clients"], extra={"clients": options["clients"]})


def _split(path: str) -> str | None:
    """wiki.train.tokens -> train: the part of the file's name that names a split."""
    for part in re.split(r"[._-]", compressed.stem(Path(path)).lower()):
        if part in _SPLIT_NAMES:
            return _SPLIT_NAMES[part]
    return None


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
