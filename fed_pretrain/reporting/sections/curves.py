"""Curves over rounds: learning, and the alignment panel of "Where to Begin?" (Fig. 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.reporting import captions, style
from fed_pretrain.reporting.captions import setting
from fed_pretrain.reporting.part import NamedFigure, Section
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.sections.accuracy import row_keys

_PANELS = (
    ("train_loss", "Train loss"),
    ("train_accuracy", "Train accuracy"),
    ("eval_loss", "Evaluation loss"),
    ("eval_accuracy", "Evaluation accuracy"),
    ("gradient_diversity", "Gradient diversity"),
    ("mean_pairwise_cosine", "Cosine between updates"),
    ("distance_to_final", "Distance to final weights"),
)


def draw(axes: Any, runs: Sequence[Run], column: str, label: str, colour: str) -> None:
    """A column by round, over the rounds that every run has."""
    curves = [dict(zip(*run.series(column), strict=True)) for run in runs]
    curves = [curve for curve in curves if curve]
    if curves:
        rounds = sorted(set.intersection(*(set(curve) for curve in curves)))
        draw_band(axes, rounds, [[curve[r] for r in rounds] for curve in curves], label, colour)


def draw_band(
    axes: Any, places: Sequence[float], lines: Sequence[Sequence[float]], label: str, colour: str
) -> None:
    """The mean of the lines, and one sample standard deviation around it."""
    values = np.array(lines, float)
    mean = values.mean(axis=0)
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(mean))
    axes.plot(places, mean, color=colour, label=label)
    axes.fill_between(
        places, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0
    )


def panels_by_round(study: Study, task: str, column: str, vertical: str) -> Figure:
    """A panel for each of `row_keys`, all with the same heights, and in each a curve a start."""
    keys, starts = row_keys(study, task), study.starts(task)
    colours = style.start_colours(starts, study.random_start(task))
    columns = 2 if len(keys) == 4 else min(3, len(keys))
    rows = -(-len(keys) // columns)
    width = 6.4 if columns == 1 else 2.7 * columns + 0.7
    made, panels = style.figure(columns, rows, width, 2.3 * rows + 0.5, same_heights=True)
    for axes, (label, wanted) in zip(panels, keys, strict=False):
        for start in starts:
            runs = study.select(task=task, start=start, **wanted)
            draw(axes, runs, column, start, colours[start])
        axes.set_title(label)
        axes.set_xlabel("round")
    for unused in panels[len(keys) :]:
        unused.set_visible(False)
    for leftmost in panels[::columns]:
        leftmost.set_ylabel(vertical)
    panels[0].legend(fontsize=8)
    return made


def learning_section(study: Study) -> Section | None:
    figures = []
    for task in study.tasks:
        caption = (
            f"{task}: accuracy on held-out data by round; line = mean, band = one sample standard"
            f" deviation over runs ({setting(study, task)})"
        )
        made = panels_by_round(study, task, FINAL, "accuracy")
        figures.append(NamedFigure(f"learning_{task}", caption, made))
    return Section("learning", "Learning curves", [], figures) if figures else None


def alignment_section(study: Study) -> Section | None:
    """Four curves above, three below, for the algorithm that measured alignment."""
    figures = []
    for task in study.tasks:
        measured = [r for r in study.select(task=task) if r.series("gradient_diversity")[0]]
        if not measured:
            continue
        algorithm = _preferred([run.algorithm for run in measured])
        keys = row_keys(study, task)
        label, wanted = next(key for key in keys if key[1]["algorithm"] == algorithm)
        figures.append(_alignment_panel(study, task, label, wanted))
    if not figures:
        return None
    text = [
        "Gradient diversity is the sum of squared update norms over the squared norm of their sum:"
        " 1/n when all n updates are equal, 1 when they are orthogonal, above 1 when they oppose"
        " each other. The cosine is the mean over pairs of clients of a round.",
        "Train loss and accuracy are taken on the clients' own examples during local work, before"
        " and while they fit them: on skewed clients they look better than on held-out data.",
        "The distance to the final weights is measured to the last round's weights, not to the"
        " best ones; it is 0 at the end by construction.",
        *captions.notes(study, study.tasks),
    ]
    return Section("alignment", "Alignment of client updates", text, figures)


def _preferred(algorithms: Sequence[str]) -> str:
    """The paper's panel is of FedAdam with SGD clients; otherwise the first measured."""
    for name in algorithms:
        if "adam" in name.lower() and "prox" not in name.lower():
            return name
    return algorithms[0]


def _alignment_panel(study: Study, task: str, label: str, wanted: Mapping[str, str]) -> NamedFigure:
    starts = study.starts(task)
    colours = style.start_colours(starts, study.random_start(task))
    made, panels = style.figure(4, 2, width=10.5, height=4.6)
    for axes, (column, title) in zip(panels, _PANELS, strict=False):
        for start in starts:
            runs = study.select(task=task, start=start, **wanted)
            draw(axes, runs, column, start, colours[start])
        axes.set_title(title)
        axes.set_xlabel("round")
    legend = panels[-1]
    legend.axis("off")
    for start in starts:
        legend.plot([], [], color=colours[start], label=start)
    legend.legend(loc="center")
    caption = (
        f"{task}, {label}: learning above, alignment below; line = mean, band = one sample"
        f" standard deviation over runs ({setting(study, task)})"
    )
    return NamedFigure(f"alignment_{task}", caption, made)
