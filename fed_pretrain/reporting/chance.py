"""Whether a start learned at all: what is compared with a start still at chance says nothing."""

from collections.abc import Iterable

from fed_pretrain.reporting.results import FINAL, Study
from fed_pretrain.reporting.statistics import spread

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
