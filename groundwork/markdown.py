"""Tables as Markdown, from cells that may hold its marks, and as plain text."""

import re
from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """Text that is shown as it is."""
    return re.sub(r"([\\*_<`\[\]])", r"\\\1", text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in plain text, its columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
    return [line.rstrip() for line in lines]
