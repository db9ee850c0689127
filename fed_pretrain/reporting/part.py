"""The pieces of a report: sections, and what they show, each also as files beside the page."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from markupsafe import Markup

from fed_pretrain.reporting.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Block", "Html", "NamedFigure", "Section", "Table"]


class Block(Protocol):
    """A figure or a table: its part of the page, and its files, named from the report's folder."""

    def html(self) -> Markup:
        return Markup("")

    def tables(self) -> Iterable[tuple[str, str]]:
        """As CSV and LaTeX."""
        return ()

    def figures(self) -> Iterable[tuple[str, bytes]]:
        """As PDF and SVG, for papers."""
        return ()


@dataclass(frozen=True)
class NamedFigure(Block):
    """A Matplotlib figure of a section of the user's."""

    name: str
    caption: str
    figure: "Figure"

    def html(self) -> Markup:
        from fed_pretrain.reporting.charts import paper

        drawn = paper.inline(self.figure, self.caption)
        return Markup('<figure class="own">{}<figcaption>{}</figcaption></figure>').format(
            drawn, self.caption
        )

    def figures(self) -> Iterator[tuple[str, bytes]]:
        from fed_pretrain.reporting.charts import paper
        from fed_pretrain.reporting.table import file_name

        yield from paper.files(file_name(self.name), self.figure)


@dataclass(frozen=True)
class Html:
    """A block of the page's own, with the files that hold its numbers."""

    markup: Markup
    blocks: Sequence[Block] = ()

    def html(self) -> Markup:
        return self.markup

    def tables(self) -> Iterator[tuple[str, str]]:
        for block in self.blocks:
            yield from block.tables()

    def figures(self) -> Iterator[tuple[str, bytes]]:
        for block in self.blocks:
            yield from block.figures()


@dataclass(frozen=True)
class Section:
    """`title` says what was found, `topic` of what; `key` is the name a plan's `sections` uses.

    text: paragraphs above the figures. notes: small print below.
    answer: the answer of a study that does not compare accuracies.
    printed: tables for pages without its figures; the report has their numbers in these.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    figures: Sequence[Block] = ()
    tables: Sequence[Table] = ()
    topic: str = ""
    notes: Sequence[str] = ()
    answer: str = ""
    printed: Sequence[Table] = ()

    @property
    def blocks(self) -> Sequence[Block]:
        return [*self.figures, *self.tables]
