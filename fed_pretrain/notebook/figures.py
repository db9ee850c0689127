"""Figures in a notebook: on axes that are given, otherwise on a new figure that shows itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from fed_pretrain.notebook.argument_errors import ArgumentError
from groundwork import palette
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_STYLES = ("-", "--", ":", "-.")


def axes(ax: "Axes | None", width: float = 6.0, height: float = 3.6) -> "tuple[Figure, Axes]":
    """The caller's axes, or new ones; only now does Matplotlib choose its backend."""
    if ax is not None:
        return cast("Figure", ax.get_figure()), ax
    import matplotlib.pyplot as plt

    figure, made = plt.subplots(figsize=(width, height), layout="constrained")
    made.spines[["top", "right"]].set_visible(False)
    made.grid(alpha=0.25)
    return figure, made


def curve(points: Sequence[tuple[Json, Json]], name: str, ax: "Axes | None") -> "Figure":
    """One line by round."""
    figure, plot = axes(ax)
    plot.plot([x for x, _ in points], [y for _, y in points])
    plot.set(xlabel="round", ylabel=words(name))
    return figure


def words(column: str) -> str:
    """A column's name as a reader says it."""
    return column.removeprefix("eval_").replace("_", " ")


def comparison(
    curves: Mapping[tuple[str, int, int], Sequence[Sequence[Mapping[str, Json]]]],
    column: str,
    ax: "Axes | None",
) -> "Figure":
    """A line for each label, colour and style: the mean of its runs, and their range.

    At the rounds that all of its runs have; the colours are those of the report.
    """
    figure, plot = axes(ax)
    for (label, colour, style), runs in curves.items():
        found = [
            {row["round"]: row[column] for row in rows if row.get(column) is not None}
            for rows in runs
        ]
        shared = sorted(set.intersection(*map(set, found)))
        if not shared:
            raise ArgumentError(f"column={column!r}: no row has it")
        values = [[one[x] for x in shared] for one in found]
        mean = [sum(one) / len(one) for one in zip(*values, strict=True)]
        ink = palette.INKS[colour % len(palette.INKS)].light
        name = label.replace("$", r"\$")  # a name, no formula
        plot.plot(shared, mean, _STYLES[style % len(_STYLES)], label=name, color=ink)
        if len(found) > 1:
            low, high = (list(map(end, zip(*values, strict=True))) for end in (min, max))
            plot.fill_between(shared, low, high, color=ink, alpha=0.15, linewidth=0)
    plot.set(xlabel="round", ylabel=words(column))
    plot.legend(frameon=False)
    return figure
