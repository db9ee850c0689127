"""Short names for a reader: the plan's titles, or its keys where it has none."""

from collections.abc import Mapping

from fed_pretrain.reporting.results import Study, unique
from groundwork.untyped import Json


class Names:
    """What the page calls the tasks, starts and algorithms of a study."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def task(self, task: str) -> str:
        return str(self._task(task).get("title") or _readable(task))

    def start(self, task: str, start: str) -> str:
        titles = self._task(task).get("start_titles", {})
        if start in titles:
            return str(titles[start])
        return "random weights" if start == self._study.random_start(task) else _readable(start)

    def algorithm(self, name: str) -> str:
        return str(self._study.plan.get("algorithm_titles", {}).get(name, name))

    def place(self, task: str, start: str) -> str:
        """A task, and the start where the task has several pre-trained ones."""
        several = len(self._study.pretrained_starts(task)) > 1
        return f"{self.task(task)} from {self.start(task, start)}" if several else self.task(task)

    def cell(self, wanted: Mapping[str, Json], varying: list[str]) -> str:
        """A row of a table: the algorithm and whatever else varies."""
        parts = [
            self.algorithm(str(wanted[name]))
            if name == "algorithm"
            else str(wanted[name])
            if name == "partition"
            else f"{_readable(name)} {wanted[name]}"
            for name in varying
        ]
        return " · ".join(parts)

    def _task(self, task: str) -> Mapping[str, Json]:
        found: Mapping[str, Json] = self._study.plan["tasks"].get(task, {})
        return found


def _readable(key: str) -> str:
    return key.replace("_", " ")


def cells(study: Study, task: str) -> list[tuple[str, dict[str, Json]]]:
    """Algorithm, partition and sweep point: every coordinate but task, start and seed."""
    runs = study.select(task=task)
    names = unique(
        name for run in runs for name in run.coordinates if name not in ("task", "start", "seed")
    )
    found = [
        dict(pairs)
        for pairs in unique(
            tuple((name, run.coordinates.get(name)) for name in names) for run in runs
        )
    ]
    varying = [name for name in names if len({str(one[name]) for one in found}) > 1]
    labels = Names(study)
    return [(labels.cell(one, varying or ["algorithm"]), one) for one in found]
