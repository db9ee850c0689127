"""What a caption must say of the runs it shows: rounds, clients, seeds."""

from collections.abc import Iterable, Sequence
from typing import Any

from fed_pretrain.reporting.results import FINAL, Run, Study
from fed_pretrain.reporting.statistics import spread


def setting(study: Study, task: str) -> str:
    """`40 rounds, 8 of 100 clients a round, 2 seeds`; spans where runs differ."""
    runs = study.select(task=task)
    rounds = span([int(run.rows[-1]["round"]) for run in runs if run.rows])
    parts = [f"{rounds} {'round' if rounds == '1' else 'rounds'}"]
    clients = _clients(runs)
    if clients:
        parts.append(f"{clients} a round")
    return ", ".join([*parts, seeds(study, task)])


def seeds(study: Study, task: str) -> str:
    number = len(study.values("seed", task=task))
    return "1 seed" if number == 1 else f"{number} seeds"


def _clients(runs: list[Run]) -> str:
    chosen = [run.config.get("config", {}).get("algorithm", {}) for run in runs]
    cohorts = [int(one["clients_per_round"]) for one in chosen if one.get("clients_per_round")]
    populations = [int(one["population"]) for one in chosen if one.get("population")]
    if not cohorts:
        return ""
    return f"{span(cohorts)} of {span(populations)} clients" if populations else span(cohorts)


def span(values: Sequence[int]) -> str:
    """`8`, or `6–18` where they differ."""
    return "–".join(str(value) for value in sorted({min(values), max(values)})) if values else "0"


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


# The best algorithm must end this many times above the accuracy before training.
_TIMES = 1.5


def left_chance(study: Study, task: str, start: str) -> bool:
    """A random start begins at chance; it left when an algorithm's mean ends well above that."""
    before = spread([run.first(FINAL) for run in study.select(task=task, start=start)]).mean
    return any(
        spread([run.last(FINAL) for run in study.select(task=task, start=start, algorithm=a)]).mean
        > _TIMES * before
        for a in study.values("algorithm", task=task, start=start)
    )


def note(study: Study, task: str) -> list[str]:
    """A sentence for sections that compare with a random start which stayed at chance."""
    start = study.random_start(task)
    if start is None or left_chance(study, task, start):
        return []
    return [
        f"{task}: no algorithm took {start} far above its accuracy before training within these"
        " rounds, so what is compared with it here is noise at chance, not a finding."
    ]


def notes(study: Study, tasks: Iterable[str]) -> list[str]:
    return [sentence for task in tasks for sentence in note(study, task)]
