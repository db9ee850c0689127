"""What non-IID data costs, and how far apart its solutions are from those of the IID control."""

import math
from collections.abc import Iterable

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.captions import IID_NAMES, has_iid_pair
from fed_pretrain.reporting.estimates import Estimate, estimate, over_seeds
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Run, Study, final
from fed_pretrain.reporting.sections import findings
from fed_pretrain.reporting.shown import shown
from fed_pretrain.reporting.table import LOWEST, Cell, Table, file_name


def iid_gap(study: Study, task: str, start: str, algorithm: str) -> tuple[Estimate, ...]:
    """Accuracy on the IID control, on the non-IID partition, and their difference by seed."""
    partitions = study.values("partition", task=task)
    iid = next((name for name in partitions if name in IID_NAMES), None)
    other = next((name for name in partitions if name not in IID_NAMES), None)
    wanted = {"task": task, "start": start, "algorithm": algorithm}
    sides = [study.select(partition=name, **wanted) for name in (iid, other)]
    by_seed: dict[object, list[float]] = {}
    for first, second in pairs(sides[0], sides[1], "partition"):
        by_seed.setdefault(first.coordinates["seed"], []).append(final(first) - final(second))
    gap = estimate(sum(several) / len(several) for several in by_seed.values())
    return (*(over_seeds(side, final) for side in sides), gap)


def pairs(first: Iterable[Run], second: Iterable[Run], apart: str) -> list[tuple[Run, Run]]:
    """Runs at the same place of the grid but for the coordinate they are compared in."""

    def place(run: Run) -> frozenset[tuple[str, object]]:
        return frozenset((k, v) for k, v in run.coordinates.items() if k != apart)

    others = {place(run): run for run in second}
    return [(run, others[place(run)]) for run in first if place(run) in others]


def _controlled(study: Study, task: str) -> list[str]:
    """The algorithms that were run on the IID control, too."""
    found = {
        name: study.values("partition", task=task, algorithm=name)
        for name in study.values("algorithm", task=task)
    }
    return [name for name, seen in found.items() if len({one in IID_NAMES for one in seen}) == 2]


def iid_section(study: Study) -> Section | None:
    names, tables, text = Names(study), [], []
    for task in study.tasks:
        if not has_iid_pair(study, task):
            continue
        rows: list[list[Cell]] = [
            [names.algorithm(algorithm), one.name, *iid_gap(study, task, one.start, algorithm)]
            for algorithm in _controlled(study, task)
            for one in shown(study, task)
        ]
        for algorithm in _controlled(study, task):
            text += _closed_share(study, task, algorithm)
        text += captions.note(study, task)
        header = ["algorithm", "start", "IID control", "non-IID", "gap"]
        caption = f"{names.task(task)}: final accuracy; {captions.setting(study, task)}"
        tables.append(Table(file_name(f"iid_gap_{task}"), caption, header, rows, {"gap": LOWEST}))
        tables += solutions_apart(study, task)
    if not tables:
        return None
    first = (
        "The IID control deals the same examples out anew with the same client sizes. The gap is"
        " IID minus non-IID accuracy, seed by seed, with its 95 % interval."
    )
    title = findings.heading(
        study,
        ["iid_gap"],
        "Whether a start narrows the gap is undecided",
        "What non-IID data costs",
    )
    return Section("iid_gap", title, [first, *text], tables=tables, topic="IID against non-IID")


def solutions_apart(study: Study, task: str) -> list[Table]:
    """How far apart IID and non-IID runs end in weight space, where `analyze` has measured it."""
    names = Names(study)
    measured: dict[tuple[str, str], list[dict[str, float]]] = {}
    for analysis in study.analyses:
        place, content = analysis.coordinates, analysis.probe("distances") or {}
        between = content.get("between")
        if place["task"] == task and between and between["same_start"]:
            measured.setdefault((place["algorithm"], place["start"]), []).append(between["whole"])
    if not measured:
        return []
    figures = ("apart", "relative", "angle_degrees")
    rows: list[list[Cell]] = [
        [
            names.algorithm(algorithm),
            names.start(task, start),
            *(estimate(_number(whole[figure]) for whole in wholes) for figure in figures),
        ]
        for (algorithm, start), wholes in measured.items()
    ]
    header = [
        "algorithm",
        "start",
        "apart",
        "apart / mean distance from the start",
        "angle (degrees)",
    ]
    caption = (
        f"{names.task(task)}: final weights of the IID and the non-IID run of one seed and start"
    )
    return [Table(file_name(f"iid_distance_{task}"), caption, header, rows)]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _closed_share(study: Study, task: str, algorithm: str) -> list[str]:
    """In words, where the random start's own gap is beyond doubt."""
    random_start, names = study.random_start(task), Names(study)
    if random_start is None or not captions.left_chance(study, task, random_start):
        return []
    base = iid_gap(study, task, random_start, algorithm)[-1]
    place = f"{names.task(task)}, {names.algorithm(algorithm)}"
    if not base.low > 0:
        return [
            f"{place}: whether random weights leave a gap at all is not sure here (its 95 %"
            " interval contains zero), so no share of it is given."
        ]
    sentences = []
    for start in study.pretrained_starts(task):
        gap = iid_gap(study, task, start, algorithm)[-1].mean
        if not math.isnan(gap):
            share = 1 - gap / base.mean
            does = f"closes {share:.0%} of" if share >= 0 else f"widens by {-share:.0%}"
            sentences.append(
                f"{place}: on average over seeds {names.start(task, start)} {does} the gap that"
                " random weights leave."
            )
    return sentences
