"""What changes accuracy: the data's partition, local steps, system heterogeneity, start quality."""

import math
from collections.abc import Sequence

from fed_pretrain.reporting import style
from fed_pretrain.reporting.part import NamedFigure, Section, Table, number
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections.accuracy import final_accuracy
from fed_pretrain.reporting.statistics import Spread

IID_NAMES = ("iid", "natural_shuffled")


def iid_gap(study: Study, task: str, start: str, algorithm: str) -> tuple[float, Spread, Spread]:
    """Accuracy on the IID control minus accuracy on the non-IID partition."""
    partitions = study.values("partition", task=task)
    iid = next((name for name in partitions if name in IID_NAMES), None)
    other = next((name for name in partitions if name not in IID_NAMES), None)
    wanted = {"task": task, "start": start, "algorithm": algorithm}
    sides = [final_accuracy(study.select(partition=name, **wanted)) for name in (iid, other)]
    return sides[0].mean - sides[1].mean, sides[0], sides[1]


def has_iid_pair(study: Study, task: str) -> bool:
    partitions = study.values("partition", task=task)
    controls = [name for name in partitions if name in IID_NAMES]
    return bool(controls) and len(controls) < len(partitions)


def iid_section(study: Study) -> Section | None:
    tables, text = [], []
    for task in study.tasks:
        if not has_iid_pair(study, task):
            continue
        rows = []
        for algorithm in study.values("algorithm", task=task):
            for start in study.starts(task):
                gap, iid, other = iid_gap(study, task, start, algorithm)
                rows.append([f"{algorithm} · {start}", str(iid), str(other), number(gap)])
            text += _closed_share(study, task, algorithm)
        header = ["", "IID control", "non-IID", "gap"]
        tables.append(Table(f"iid_gap_{task}", task, header, rows))
    return Section("iid_gap", "IID against non-IID", text, tables=tables) if tables else None


def _closed_share(study: Study, task: str, algorithm: str) -> list[str]:
    random_start = study.random_start(task)
    if random_start is None:
        return []
    base = iid_gap(study, task, random_start, algorithm)[0]
    sentences = []
    for start in study.pretrained_starts(task):
        gap = iid_gap(study, task, start, algorithm)[0]
        if base > 0 and not math.isnan(gap):
            share = 1 - gap / base
            sentences.append(
                f"{task}, {algorithm}: {start} closes {share:.0%} of the gap that"
                f" {random_start} leaves."
            )
        else:
            sentences.append(
                f"{task}, {algorithm}: {random_start} shows no positive gap, so the share that"
                f" {start} closes is undefined."
            )
    return sentences


def sweep_section(study: Study) -> Section | None:
    """One figure a task and swept axis: final accuracy against the axis, by start."""
    figures, tables = [], []
    for task in study.tasks:
        for axis in study.plan.get("sweep", {}):
            for algorithm in study.values("algorithm", task=task):
                figures.append(_sweep_figure(study, task, axis, algorithm))
                tables.append(_sweep_table(study, task, axis, algorithm))
    if not figures:
        return None
    axes = ", ".join(name.replace("_", " ") for name in study.plan["sweep"])
    text = [f"Accuracy after the last round against {axes}; equal rounds for every point."]
    return Section("sweep", f"Effect of {axes}", text, figures, tables)


def _points(study: Study, task: str, axis: str) -> list[str]:
    return [str(point) for point in study.values(axis, task=task)]


def _sweep_figure(study: Study, task: str, axis: str, algorithm: str) -> NamedFigure:
    points = _points(study, task, axis)
    colours = style.start_colours(study.starts(task), study.random_start(task))
    made, (axes,) = style.figure()
    for start in study.starts(task):
        cells = _cells(study, task, axis, algorithm, start, points)
        axes.errorbar(
            range(len(points)),
            [cell.mean for cell in cells],
            yerr=[0.0 if math.isnan(cell.std) else cell.std for cell in cells],
            color=colours[start],
            marker="o",
            capsize=3,
            label=start,
        )
    axes.set_xticks(range(len(points)), points)
    axes.set_xlabel(axis.replace("_", " "))
    axes.set_ylabel("final accuracy")
    axes.legend()
    name = f"sweep_{axis}_{task}_{algorithm}".replace("/", "_")
    return NamedFigure(name, f"{task}, {algorithm}", made)


def _cells(
    study: Study, task: str, axis: str, algorithm: str, start: str, points: Sequence[str]
) -> list[Spread]:
    return [
        final_accuracy(study.select(task=task, start=start, algorithm=algorithm, **{axis: point}))
        for point in points
    ]


def _sweep_table(study: Study, task: str, axis: str, algorithm: str) -> Table:
    points = _points(study, task, axis)
    rows = []
    for start in study.starts(task):
        cells = _cells(study, task, axis, algorithm, start, points)
        rows.append([start, *map(str, cells), number(cells[-1].mean - cells[0].mean)])
    header = ["start", *points, f"{points[-1]} minus {points[0]}"]
    name = f"sweep_{axis}_{task}_{algorithm}".replace("/", "_")
    return Table(name, f"{task}, {algorithm}", header, rows)
