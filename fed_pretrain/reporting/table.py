"""A table of numbers: on the page to be read, as CSV to compute with, as LaTeX to be printed."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from fed_pretrain.reporting import numbers
from fed_pretrain.reporting.estimates import Estimate
from groundwork import markdown

Cell = str | int | float | Estimate | None
HIGHEST, LOWEST = "highest", "lowest"


@dataclass(frozen=True)
class Table:
    """The first column names the row.

    best: by the header of a column, whether its highest or its lowest number is the best one.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> Markup:
        head = Markup("").join(Markup('<th scope="col">{}</th>').format(c) for c in self.header)
        body = Markup("").join(self._html_row(row) for row in self.rows)
        return Markup(
            '<figure class="tb"><figcaption>{}</figcaption><div class="wide" tabindex="0"'
            ' role="region" aria-label="{}"><table class="runs sortable"><thead><tr>{}</tr></thead>'
            "<tbody>{}</tbody></table></div></figure>"
        ).format(self.caption, self.caption, head, body)

    def _html_row(self, row: Sequence[Cell]) -> Markup:
        cells = [Markup('<th scope="row">{}</th>').format(_html_cell(row[0]))]
        cells += [
            Markup("<td{}>{}</td>").format(_sort_key(cell), _html_cell(cell)) for cell in row[1:]
        ]
        return Markup("<tr>{}</tr>").format(Markup("").join(cells))

    def figures(self) -> tuple[()]:
        return ()

    def tables(self) -> Iterator[tuple[str, str]]:
        yield f"tables/{file_name(self.name)}.csv", self.csv()
        yield f"tables/{file_name(self.name)}.tex", self.latex()

    def csv(self) -> str:
        """An estimate takes four columns: the mean, its interval and the number of seeds."""
        wide = [
            any(isinstance(row[i], Estimate) for row in self.rows) for i in range(len(self.header))
        ]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        header: list[str] = []
        for name, is_wide in zip(self.header, wide, strict=True):
            header += [name, *(f"{name} {part}" for part in ("low", "high", "n") if is_wide)]
        writer.writerow([inert(cell) for cell in header])
        for row in self.rows:
            cells: list[str] = []
            for cell, is_wide in zip(row, wide, strict=True):
                cells += _csv_cells(cell, is_wide)
            writer.writerow(cells)
        return text.getvalue()

    def latex(self) -> str:
        """With booktabs; the best number of a column is bold."""
        lines = [
            "% \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(self.caption)}}}",
            rf"\label{{tab:{file_name(self.name)}}}",
            r"\begin{tabular}{l" + "r" * (len(self.header) - 1) + "}",
            r"\toprule",
            " & ".join(map(_tex, self.header)) + r" \\",
            r"\midrule",
        ]
        best = [self._best(index) for index in range(len(self.header))]
        for row in self.rows:
            cells = [_tex_cell(cell, top) for cell, top in zip(row, best, strict=True)]
            lines.append(" & ".join(cells) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])

    def markdown(self) -> str:
        return markdown.table(
            [markdown.plain(name) for name in self.header],
            [[markdown.plain(_markdown_cell(cell)) for cell in row] for row in self.rows],
        )

    def _best(self, index: int) -> float | None:
        direction = self.best.get(self.header[index])
        values = [value for row in self.rows if math.isfinite(value := _value(row[index]))]
        if direction is None or len(values) < 2:
            return None
        return max(values) if direction == HIGHEST else min(values)


def file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _value(cell: Cell) -> float:
    if isinstance(cell, Estimate):
        return cell.mean
    return float(cell) if isinstance(cell, int | float) else math.nan


def _html_cell(cell: Cell) -> Markup:
    if isinstance(cell, Estimate):
        interval = f"{_figure(cell.low)} to {_figure(cell.high)}" if cell.has_interval else ""
        return Markup("{} <span>{}</span>").format(_figure(cell.mean), interval)
    return escape(_text(cell))


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, Estimate):
        interval = f" ({_figure(cell.low)} to {_figure(cell.high)})" if cell.has_interval else ""
        return f"{_figure(cell.mean)}{interval}"
    return _text(cell)


def _text(cell: Cell) -> str:
    if cell is None:
        return numbers.NONE
    if isinstance(cell, float):
        return _figure(cell)
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _figure(value: float) -> str:
    """Accuracies and losses have three decimals; what is small or large, three digits."""
    return numbers.fixed(value) if 0.1 <= abs(value) < 10 else numbers.significant(value, 3)


def _sort_key(cell: Cell) -> Markup:
    value = _value(cell)
    return Markup(' data-v="{}"').format(repr(value)) if math.isfinite(value) else Markup("")


def _csv_cells(cell: Cell, is_wide: bool) -> list[str]:
    if isinstance(cell, Estimate):
        return [*map(_exact, (cell.mean, cell.low, cell.high)), str(cell.count)]
    one = _exact(cell) if isinstance(cell, float) else "" if cell is None else inert(str(cell))
    return [one, "", "", ""] if is_wide else [one]


def _exact(value: float) -> str:
    return f"{value:.10g}" if math.isfinite(value) else ""


_NUMBER = r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?"
_PLAIN = re.compile(rf"{_NUMBER}( ± {_NUMBER})?( \([^()]*\))?")


def inert(cell: str) -> str:
    """A spreadsheet would run a name that begins as a formula does; a negative number is none."""
    cell = cell.replace("\r", " ")  # The writer does not quote it, and a reader ends the row there.
    formula = cell.startswith(("=", "+", "-", "@", "\t")) and not _PLAIN.fullmatch(cell)
    return f"'{cell}" if formula else cell


def _tex_cell(cell: Cell, best: float | None) -> str:
    text = _tex(_text(cell.mean if isinstance(cell, Estimate) else cell))
    if best is not None and _value(cell) == best:
        text = rf"\textbf{{{text}}}"
    if isinstance(cell, Estimate) and cell.has_interval:
        text += rf" {{\small [{_tex(_figure(cell.low))}, {_tex(_figure(cell.high))}]}}"
    return text


_LATEX = {
    "±": r"$\pm$",
    numbers.NONE: "--",
    numbers.MINUS: "$-$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "τ": r"$\tau$",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _tex(text: str) -> str:
    return "".join(_LATEX.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)
