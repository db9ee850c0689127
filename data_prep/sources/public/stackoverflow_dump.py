"""Stack Exchange's Posts.xml, plain or inside its .7z: one <row .../> a line.

Read line by line, as the dumps are written: that keeps a damaged row to itself, and lets several
workers share one plain file of 100 GB. An answer has no title and no tags.
"""

import os
from collections.abc import Iterator, Mapping
from xml.parsers import expat

from data_prep.sources.items import BadRecord, Item
from data_prep.sources.parsing import fields
from data_prep.sources.parsing.table_rows import Line, line_units, read_lines
from data_prep.sources.public.stackoverflow_posts import OPTIONS, items, reader
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, input_files

MEMBER = "Posts.xml"
_END = b"</posts>"
_NEVER_ROWS = (b"<?xml", b"<posts", _END, b"<!--")


def _read(options: Mapping[str, str], unit: WorkUnit) -> Iterator[Item]:
    last = Line(unit, 0, 0, b"")
    broken = bool(unit.start)  # slices of a plain file: the first one looks at the end

    def rows() -> Iterator[Line | BadRecord]:
        nonlocal last, broken
        for line in read_lines(unit, MEMBER):
            if isinstance(line, BadRecord):
                broken = broken or line.reason == "truncated_archive"
                yield line
                continue
            last = line
            if not line.content.lstrip().startswith(_NEVER_ROWS):
                yield line

    yield from fields.items(rows(), lambda line: items(options, _attributes(line.content)))
    if not broken and not _has_end(unit, last):
        where = last.number if unit.stop is None else None
        yield BadRecord("truncated_file", unit.path, where, "it does not end in </posts>")


def _has_end(unit: WorkUnit, last: Line) -> bool:
    if unit.stop is None:
        return last.content.strip() == _END
    with open(unit.path, "rb") as file:
        file.seek(max(0, os.path.getsize(unit.path) - 4096))
        return file.read().rstrip().endswith(_END)


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


def open_dump(pattern: str, options: Mapping[str, str]) -> SourceReader:
    return reader(line_units(input_files(pattern)), _read, options)


SOURCE = Source(
    name="stackoverflow_dump",
    summary="Stack Overflow posts from the Stack Exchange dump's Posts.xml, by user",
    open=open_dump,
    input_summary="Posts.xml, or the .7z that holds it",
    options=OPTIONS,
)
