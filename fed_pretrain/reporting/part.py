"""The pieces of a report: sections with figures and tables, each also a separate file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class NamedFigure:
    name: str
    caption: str
    figure: "Figure"


@dataclass(frozen=True)
class Table:
    """`rows` are text; the first column names the row."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """`text` is plain paragraphs; `key` is the name a plan's `sections` uses."""

    key: str
    title: str
    text: Sequence[str]
    figures: Sequence[NamedFigure] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)


def number(value: float, digits: int = 3) -> str:
    """A number for a table; an undefined one is a dash."""
    return "–" if value != value else f"{value:.{digits}f}"


def significant(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"
