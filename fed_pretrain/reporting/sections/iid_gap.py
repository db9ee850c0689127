"""What non-IID data costs, and how far apart its solutions lie from those of the IID control."""

import math

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.captions import IID_NAMES, has_iid_pair, setting
from fed_pretrain.reporting.claims.pairing import paired_difference
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import FINAL, Study
from fed_pretrain.reporting.sections.accuracy import final_accuracy
from fed_pretrain.reporting.statistics import Spread, spread


def iid_gap(study: Study, task: str, start: str, algorithm: str) -> tuple[Spread, Spread, Spread]:
    """Accuracy on the IID control minus accuracy on the non-IID partition, seed by seed."""
    partitions = study.values("partition", task=task)
    iid = next((name for name in partitions if name in IID_NAMES), None)
    other = next((name for name in partitions if name not in IID_NAMES), None)
    wanted = {"task": task, "start": start, "algorithm": algorithm}
    sides = [study.select(partition=name, **wanted) for name in (iid, other)]
    gap = paired_difference(sides[0], sides[1], "partition", lambda run: run.last(FINAL))
    return gap, final_accuracy(sides[0]), final_accuracy(sides[1])


def iid_section(study: Study) -> Section | None:
    tables, text = [], []
    for task in study.tasks:
        if not has_iid_pair(study, task):
            continue
        rows = []
        for algorithm in study.values("algorithm", task=task):
            for start in study.starts(task):
                gap, iid, other = iid_gap(study, task, start, algorithm)
                rows.append([f"{algorithm} · {start}", str(iid), str(other), str(gap)])
            text += _closed_share(study, task, algorithm)
        text += captions.note(study, task)
        header = ["", "IID control", "non-IID", "gap"]
        caption = f"{task}: {setting(study, task)}"
        tables.append(Table(f"iid_gap_{task}", caption, header, rows))
        tables += solutions_apart(study, task)
    text.insert(
        0,
        "The IID control deals the same examples out anew with the same client sizes. The gap is"
        " IID minus non-IID accuracy, seed by seed: mean ± sample standard deviation.",
    )
    return Section("iid_gap", "IID against non-IID", text, tables=tables) if tables else None


def solutions_apart(study: Study, task: str) -> list[Table]:
    """How far apart IID and non-IID runs end in weight space, where `analyze` has measured it."""
    measured: dict[str, list[dict[str, float]]] = {}
    for analysis in study.analyses:
        place, content = analysis.coordinates, analysis.probe("distances") or {}
        between = content.get("between")
        if place["task"] == task and between and between["same_start"]:
            name = f"{place['algorithm']} · {place['start']}"
            measured.setdefault(name, []).append(between["whole"])
    if not measured:
        return []
    figures = ("apart", "relative", "angle_degrees")
    rows = [
        [name, *(str(spread([_number(whole[figure]) for whole in wholes])) for figure in figures)]
        for name, wholes in measured.items()
    ]
    header = ["", "apart", "apart / mean distance from the start", "angle (degrees)"]
    caption = f"{task}: final weights of the IID and the non-IID run of one seed and start"
    return [Table(f"iid_distance_{task}", caption, header, rows)]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _closed_share(study: Study, task: str, algorithm: str) -> list[str]:
    """In words, where the random start's own gap is beyond doubt."""
    random_start = study.random_start(task)
    if random_start is None or not captions.left_chance(study, task, random_start):
        return []
    base = iid_gap(study, task, random_start, algorithm)[0]
    place = f"{task}, {algorithm}"
    if not base.mean - base.half_width > 0:
        return [
            f"{place}: whether {random_start} has a gap at all is not sure here (its 95 % interval"
            " contains zero), so no share of it is told."
        ]
    sentences = []
    for start in study.pretrained_starts(task):
        gap = iid_gap(study, task, start, algorithm)[0].mean
        if not math.isnan(gap):
            share = 1 - gap / base.mean
            does = f"closes {share:.0%} of" if share >= 0 else f"widens by {-share:.0%}"
            sentences.append(
                f"{place}: on average over seeds {start} {does} the gap that {random_start} leaves."
            )
    return sentences
