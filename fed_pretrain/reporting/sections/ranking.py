"""Whether the order of the algorithms changes with the start, among pairs that differ clearly."""

from collections.abc import Iterator
from itertools import combinations

from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, listed
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study
from fed_pretrain.reporting.sections.algorithms import AlgorithmList
from fed_pretrain.reporting.table import Table


def ranking_section(study: Study) -> Section | None:
    """None where a task has fewer than three algorithms, or no random start."""
    rows = [row for task in study.tasks for row in _rows(study, task)]
    if not rows:
        return None
    turned = sum(int(str(row[4])) for row in rows)
    text = [
        "A pair of algorithms is turned round where one is ahead from random weights, the other is"
        " ahead from the pre-trained start, and both differences can be told from seed noise."
    ]
    pairs = counted(turned, "pair") if turned else "No pair"
    title = f"{pairs} of algorithms {'is' if turned < 2 else 'are'} turned round"
    header = ["", "pairs", "told apart in both", "same order", "turned round", "which"]
    table = Table(
        "ranking", "Order of the algorithms from random and pre-trained weights", header, rows
    )
    return Section("ranking", title, text, tables=[table], topic="Order of the algorithms")


def _rows(study: Study, task: str) -> Iterator[list[str | int]]:
    random_start = study.random_start(task)
    if random_start is None:
        return
    base = AlgorithmList(study, task, random_start)
    for start in study.pretrained_starts(task):
        other = AlgorithmList(study, task, start)
        names = [label for label in base.labels if label in other.labels]
        if len(names) < 3:
            continue
        pairs = list(combinations(names, 2))
        told = [(a, b) for a, b in pairs if _apart(base, a, b) and _apart(other, a, b)]
        # `names` are best first from random weights.
        turned = [(a, b) for a, b in told if other.labels.index(a) > other.labels.index(b)]
        yield [
            Names(study).place(task, start), len(pairs), len(told), len(told) - len(turned),
            len(turned), listed([f"{b} over {a}" for a, b in turned]),
        ]  # fmt: skip


def _apart(algorithms: AlgorithmList, first: str, second: str) -> bool:
    ends = sorted((algorithms.labels.index(first), algorithms.labels.index(second)))
    return (ends[0], ends[1]) in algorithms.apart
