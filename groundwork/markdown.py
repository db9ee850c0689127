"""Markdown from text and cells that may hold its marks."""

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
