"""Final accuracies of every algorithm under every start, and how they rank."""

import math
from collections.abc import Sequence

from fed_pretrain.reporting import captions, style
from fed_pretrain.reporting.captions import setting
from fed_pretrain.reporting.part import NamedFigure, Section, Table, number
from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import Spread, kendall_tau_b, ranks, spread


def final_accuracy(runs: Sequence[Run]) -> Spread:
    """Mean and deviation over runs of the accuracy after the last round."""
    return spread([run.last(FINAL) for run in runs])


def table_section(study: Study) -> Section | None:
    tables = [_table(study, task) for task in study.tasks]
    if not tables:
        return None
    text = [
        "Accuracy on held-out data after the last round: mean ± sample standard deviation over"
        " seeds. The evaluation split takes no part in training; a plan that tunes its rates does"
        " so on a validation split of its own."
    ]
    return Section("accuracy", "Final accuracy", text, tables=tables)


def _table(study: Study, task: str) -> Table:
    starts = study.starts(task)
    keys = row_keys(study, task)
    rows = []
    for label, wanted in keys:
        cells = [final_accuracy(study.select(task=task, start=s, **wanted)) for s in starts]
        rows.append([label, *map(str, cells)])
    return Table(f"accuracy_{task}", f"{task}: {setting(study, task)}", ["", *starts], rows)


def row_keys(study: Study, task: str) -> list[tuple[str, dict[str, str]]]:
    """Algorithm x partition x sweep point: every coordinate but task, start and seed."""
    names = [
        n for n in study.select(task=task)[0].coordinates if n not in ("task", "start", "seed")
    ]
    seen: dict[tuple[str, ...], dict[str, str]] = {}
    for run in study.select(task=task):
        wanted = {name: run.coordinates[name] for name in names}
        seen[tuple(str(value) for value in wanted.values())] = wanted
    varying = [n for n in names if len({str(w[n]) for w in seen.values()}) > 1] or ["algorithm"]
    return [(" · ".join(_named(n, w[n]) for n in varying), w) for w in seen.values()]


def _named(name: str, value: object) -> str:
    """A point of a swept axis says of what: `local epochs 4`; algorithms and partitions do not."""
    return str(value) if name in ("algorithm", "partition") else f"{name.replace('_', ' ')} {value}"


def ranking_section(study: Study) -> Section | None:
    """How the order of the algorithms changes with the start, with Kendall's tau."""
    figures, tables, text = [], [], []
    for task in study.tasks:
        random_start = study.random_start(task)
        algorithms = study.values("algorithm", task=task)
        if random_start is None or len(algorithms) < 3:
            continue
        for start in study.pretrained_starts(task):
            pair = [random_start, start]
            means = [_means(study, task, one, algorithms) for one in pair]
            if any(math.isnan(value) for side in means for value in side):
                continue
            tau = kendall_tau_b(*means)
            figures.append(_crossing_ranks(study, task, pair, algorithms, means, tau))
            spreads = [max(side) - min(side) for side in means]
            place = ", ".join([task, *captions.told(study, task)])
            text.append(
                f"{place}: the distance from best to worst algorithm is {number(spreads[0])} with"
                f" {random_start} and {number(spreads[1])} with {start}; the two rankings agree"
                f" with Kendall's tau-b {number(tau, 2)} over {len(algorithms)} algorithms."
            )
            tables.append(_ranking_table(task, pair, algorithms, means))
        text += captions.note(study, task)
    if not figures:
        return None
    return Section("ranking", "Ranking of algorithms", text, figures, tables)


def _means(study: Study, task: str, start: str, algorithms: Sequence[str]) -> list[float]:
    return [
        final_accuracy(captions.subjects(study, task, start=start, algorithm=algorithm)).mean
        for algorithm in algorithms
    ]


def _crossing_ranks(
    study: Study,
    task: str,
    pair: Sequence[str],
    algorithms: Sequence[str],
    means: Sequence[Sequence[float]],
    tau: float,
) -> NamedFigure:
    made, (axes,) = style.figure(height=0.9 + 0.36 * len(algorithms))
    sides = [ranks(side) for side in means]
    for index, algorithm in enumerate(algorithms):
        colour = style.SERIES[index % len(style.SERIES)]
        heights = [side[index] for side in sides]
        axes.plot(
            [0, 1],
            heights,
            color=colour,
            marker=style.MARKERS[index % len(style.MARKERS)],
            markersize=7,
        )
        for x, align, shift in ((0, "right", -0.05), (1, "left", 0.05)):
            label = f"{algorithm}  {means[x][index]:.3f}"
            axes.text(x + shift, heights[x], label, ha=align, va="center", fontsize=8)
    axes.set_xlim(-1.1, 2.1)
    axes.set_ylim(len(algorithms) + 0.6, 0.4)
    axes.set_xticks([0, 1], pair)
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    name = f"ranking_{task}_{pair[1]}".replace("/", "_")
    caption = f"{task}: rank by final accuracy under two starts (tau-b {number(tau, 2)})"
    return NamedFigure(name, caption, made)


def _ranking_table(
    task: str,
    pair: Sequence[str],
    algorithms: Sequence[str],
    means: Sequence[Sequence[float]],
) -> Table:
    sides = [ranks(side) for side in means]
    rows = [
        [name, number(means[0][i]), str(sides[0][i]), number(means[1][i]), str(sides[1][i])]
        for i, name in enumerate(algorithms)
    ]
    header = ["algorithm", pair[0], "rank", pair[1], "rank"]
    return Table(f"ranking_{task}_{pair[1]}", f"{task}: mean accuracy and rank", header, rows)
