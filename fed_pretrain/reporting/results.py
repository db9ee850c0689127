"""The finished runs of a study, read from its folder: what every part of the report is made of."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from groundwork.errors import UserError
from groundwork.untyped import Json

Row = Mapping[str, Json]
# The column of a run's metrics whose last value is its final accuracy.
FINAL = "eval_accuracy"
# Columns that are written when a run ends: their file in probes/, and their key there.
_AFTERWARDS = {
    "distance_to_final": ("distances", "to_final"),
    "misaligned_share": ("misalignment", "total"),
}


@dataclass(frozen=True)
class Run:
    """One finished training run and its place in the grid."""

    coordinates: Mapping[str, Json]
    folder: Path
    rows: Sequence[Row]

    @property
    def task(self) -> str:
        return str(self.coordinates["task"])

    @property
    def start(self) -> str:
        return str(self.coordinates["start"])

    @property
    def algorithm(self) -> str:
        return str(self.coordinates["algorithm"])

    @cached_property
    def config(self) -> Mapping[str, Json]:
        return read_json(self.folder / "config.json") or {}

    @property
    def versions(self) -> Sequence[Mapping[str, str]]:
        """The code, libraries and machines that worked on it, in order."""
        return tuple(self.config.get("versions", ()))

    @cached_property
    def proxies(self) -> Sequence[str]:
        """What its start was pre-trained on, a sentence each; empty for other starts."""
        report = read_json(self.folder / "start.json") or {}
        return tuple(report.get("proxies", ()))

    def series(self, column: str) -> tuple[list[int], list[float]]:
        """Rounds and values of a column, without the rows that lack it.

        What compares a round with the last one is known only after the run, in a separate file.
        """
        if column in _AFTERWARDS:
            name, key = _AFTERWARDS[column]
            content = self.probe(name) or {"rounds": [], key: []}
            found = list(zip(content["rounds"], content[key], strict=True))
        else:
            found = [(row["round"], row.get(column)) for row in self.rows]
        pairs = [(int(r), float(v)) for r, v in found if v is not None]
        return [r for r, _ in pairs], [v for _, v in pairs]

    def last(self, column: str) -> float:
        """The last value of a column; NaN when there is none."""
        values = self.series(column)[1]
        return values[-1] if values else math.nan

    def first(self, column: str) -> float:
        values = self.series(column)[1]
        return values[0] if values else math.nan

    def probe(self, name: str) -> Json:
        """The content of probes/NAME.json, or None."""
        return read_json(self.folder / "probes" / f"{name}.json")


@dataclass(frozen=True)
class Analysis:
    """The output of one `analyze` step."""

    coordinates: Mapping[str, Json]
    folder: Path

    def probe(self, name: str) -> Json:
        return read_json(self.folder / "probes" / f"{name}.json")


@dataclass(frozen=True)
class Study:
    """A plan with the results there are; what failed is listed, not hidden."""

    plan: Mapping[str, Json]
    runs: Sequence[Run]
    analyses: Sequence[Analysis]
    unfinished: Sequence[Mapping[str, Json]]
    steps: Sequence[Mapping[str, Json]]
    passes: Sequence[Mapping[str, Json]] = ()

    @property
    def tasks(self) -> list[str]:
        return unique(run.task for run in self.runs)

    @property
    def algorithms(self) -> list[str]:
        return unique(run.algorithm for run in self.runs)

    def starts(self, task: str) -> list[str]:
        """The starts of a task in the plan's order."""
        return unique(run.start for run in self.runs if run.task == task)

    def select(self, **wanted: Json) -> list[Run]:
        return [
            run
            for run in self.runs
            if all(run.coordinates.get(name) == value for name, value in wanted.items())
        ]

    def values(self, name: str, **wanted: Json) -> list[Json]:
        """The values a coordinate takes among the selected runs, in order of appearance."""
        return unique(run.coordinates.get(name) for run in self.select(**wanted))

    def is_random(self, task: str, start: str) -> bool:
        """Whether this start is the random one, by the flag, not by its name in the plan."""
        flags = self.plan["tasks"].get(task, {}).get("starts", {}).get(start, {})
        return str(flags.get("start", "")) == "random"

    def random_start(self, task: str) -> str | None:
        return next((s for s in self.starts(task) if self.is_random(task, s)), None)

    def pretrained_starts(self, task: str) -> list[str]:
        return [start for start in self.starts(task) if not self.is_random(task, start)]


def unique(values: Iterable[Json]) -> list[Json]:
    return list(dict.fromkeys(values))


def read_json(path: Path) -> Json:
    """The JSON value of a file; None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from error


def load_study(study_file: str | Path) -> Study:
    """Reads `study.json` and the finished runs it names."""
    path = Path(study_file)
    content = read_json(path)
    if content is None:
        raise UserError(f"--study: there is no {path}")
    runs, analyses, unfinished = [], [], []
    for step in content["steps"]:
        if step["kind"] == "report":
            continue
        if step["status"] != "done" or not step["output"]:
            unfinished.append(step)
            continue
        folder = path.parent / step["output"]
        if step["kind"] == "train":
            runs.append(load_run(folder, step["coordinates"]))
        elif step["kind"] == "analyze":
            analyses.append(Analysis(step["coordinates"], folder))
    return Study(
        content["plan"], runs, analyses, unfinished, content["steps"], content.get("passes", ())
    )


def load_run(folder: str | Path, coordinates: Mapping[str, Json] | None = None) -> Run:
    """Reads one run; without coordinates they are taken from its config."""
    folder = Path(folder)
    if not (folder / "SUCCESS").exists():
        raise UserError(f"{folder}: not a finished run (no SUCCESS file)")
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return Run(coordinates or coordinates_of(read_json(folder / "config.json")), folder, rows)


def coordinates_of(config: Mapping[str, Json]) -> dict[str, Json]:
    values = config["config"]
    chosen = values["algorithm"]
    return {
        "task": values["task"],
        "start": values["start"]["spec"],
        "algorithm": values["algorithm_name"]
        or f"{chosen['client_update']} x {chosen['server_optimizer']}",
        "seed": values["seed"],
    }


def study_of_runs(folders: Sequence[str | Path]) -> Study:
    """A report over single runs that no plan made."""
    runs = [load_run(folder) for folder in folders]
    starts: dict[str, dict[str, Json]] = {}
    for run in runs:
        task = starts.setdefault(run.task, {"starts": {}})
        task["starts"][run.start] = {"start": run.start}
    plan = {
        "name": "runs",
        "title": "Federated runs",
        "question": "",
        "origin": "",
        "reductions": [],
        "tasks": starts,
        "algorithms": {run.algorithm: {} for run in runs},
        "sweep": {},
        "claims": [],
        "sections": [],
    }
    return Study(plan, runs, [], [], [])
