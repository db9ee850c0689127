"""Control runs: what a study sets its subject beside, such as IID data or clients of equal work.

What is compared between starts and algorithms is compared on the subject alone.
"""

from typing import Any

from fed_pretrain.reporting.results import Run, Study

IID_NAMES = ("iid", "natural_shuffled")


def has_iid_pair(study: Study, task: str) -> bool:
    """Whether the task has an IID control beside non-IID data."""
    partitions = study.values("partition", task=task)
    controls = [name for name in partitions if name in IID_NAMES]
    return bool(controls) and len(controls) < len(partitions)


def works_unequally(run: Run) -> bool:
    """Whether some of its clients do more local work than others."""
    system = run.config.get("config", {}).get("system", {})
    return float(system.get("varied_share") or 0.0) > 0.0


def has_equal_work_pair(study: Study, task: str) -> bool:
    """Whether the task has runs of equal work beside runs of unequal work."""
    return len({works_unequally(run) for run in study.select(task=task)}) == 2


def without_iid(study: Study, task: str, **wanted: Any) -> list[Run]:
    """The selected runs without those on the IID control."""
    runs = study.select(task=task, **wanted)
    if has_iid_pair(study, task):
        runs = [run for run in runs if run.coordinates.get("partition") not in IID_NAMES]
    return runs


def subjects(study: Study, task: str, **wanted: Any) -> list[Run]:
    """The selected runs without any control of their task."""
    runs = without_iid(study, task, **wanted)
    if has_equal_work_pair(study, task):
        runs = [run for run in runs if works_unequally(run)]
    return runs


def told(study: Study, task: str) -> list[str]:
    """What of a task is the subject, in words; empty without controls."""
    parts = []
    if has_iid_pair(study, task):
        parts.append("on the non-IID data")
    if has_equal_work_pair(study, task):
        parts.append("with unequal work")
    return parts
