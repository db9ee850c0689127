"""Stack Exchange's Posts.xml, plain or inside its .7z: one <row .../> a line.

Read line by line, as the dumps are written: that keeps a damaged row to itself, and lets several
workers share one plain file of 100 GB. An answer has no title and no tags.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from xml.parsers import expat

from data_prep.sources.parsing import fields
from data_prep.sources.parsing.table_rows import Line, line_number, line_units, read_lines
from data_prep.sources.public.stackoverflow_posts import (
    FEATURES,
    OPTIONS,
    SPLITS,
    Post,
    checked_number,
    extra,
    items,
)
from data_prep.sources.source import BadRecord, Item, Source, WorkUnit, input_files
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Json

MEMBER = "Posts.xml"
_END = b"</posts>"
_NEVER_ROWS = (b"<?xml", b"<posts", _END, b"<!--")


@dataclasses.dataclass(frozen=True)
class StackOverflowDumpReader:
    """Sentences or posts by OwnerUserId."""

    work: tuple[WorkUnit, ...]
    options: Mapping[str, str]
    extra: Mapping[str, Json]
    features: tuple[FeatureSpec, ...] = FEATURES
    label_names: tuple[str, ...] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS if self.options["splits"] == "tff" else ()

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        last = Line(0, 0, b"")
        broken = bool(unit.start)  # slices of a plain file: the first one looks at the end
        for line in read_lines(unit, MEMBER):
            if isinstance(line, BadRecord):
                broken = broken or line.reason == "truncated_archive"
                yield line
                continue
            last = line
            if line.content.lstrip().startswith(_NEVER_ROWS):
                continue
            try:
                yield from items(_post(line.content), self.options)
            except fields.BadField as error:
                number = line_number(unit, line.number)
                yield BadRecord(error.reason, unit.path, number, str(error))
        if not broken and not _has_end(unit, last):
            where = last.number if unit.stop is None else None
            yield BadRecord("truncated_file", unit.path, where, "it does not end in </posts>")


def _has_end(unit: WorkUnit, last: Line) -> bool:
    if unit.stop is None:
        return last.content.strip() == _END
    with open(unit.path, "rb") as file:
        file.seek(max(0, os.path.getsize(unit.path) - 4096))
        return file.read().rstrip().endswith(_END)


def _post(line: bytes) -> Post:
    row = _attributes(line)
    owner = fields.integer(row, "OwnerUserId", default=0) if "OwnerUserId" in row else None
    return Post(
        number=checked_number(fields.integer(row, "Id")),
        kind=fields.integer(row, "PostTypeId"),
        owner=owner,
        created=fields.time(row, "CreationDate"),
        score=fields.integer(row, "Score", default=0),
        title=fields.text(row, "Title", default=""),
        tags=fields.text(row, "Tags", default=""),
        body=fields.text(row, "Body", default=""),
    )


def _attributes(line: bytes) -> dict[str, str]:
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes))
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(line.strip(), True)
    except expat.ExpatError as error:
        raise fields.BadField("malformed_xml", f"no whole <row .../>: {error}") from None
    if len(found) != 1 or found[0][0] != "row":
        raise fields.BadField("malformed_xml", "expected one <row .../> on its own line")
    return found[0][1]


def _refuse_doctype(*_: object) -> None:
    """Its entities could multiply a line by millions."""
    raise fields.BadField("malformed_xml", "a document type has no place on its own line")


def open_dump(pattern: str, options: Mapping[str, str]) -> StackOverflowDumpReader:
    return StackOverflowDumpReader(
        work=tuple(line_units(input_files(pattern))), options=dict(options), extra=extra(options)
    )


SOURCE = Source(
    name="stackoverflow_dump",
    summary="Stack Overflow posts from the Stack Exchange dump's Posts.xml, by user",
    open=open_dump,
    input_summary="Posts.xml, or the .7z that holds it",
    options=OPTIONS,
    splits=SPLITS,
)
