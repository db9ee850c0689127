"""The finished runs of a study, read from its folder: what every part of the report is made of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from groundwork import from_json
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

    @property
    def seed(self) -> int:
        return int(self.coordinates["seed"])

    @property
    def rates_of(self) -> str:
        """The start whose rates it ran with, in the control of equal rates; otherwise empty."""
        return str(self.coordinates.get("rates") or "")

    @cached_property
    def config(self) -> Mapping[str, Json]:
        return read_json(self.folder / "config.json") or {}

    @property
    def privacy(self) -> Mapping[str, Json]:
        """The accountant and its terms; empty without privacy."""
        return self.config.get("privacy") or {}

    @property
    def versions(self) -> Sequence[Mapping[str, str]]:
        """The code, libraries and machines that worked on it, in order."""
        return tuple(self.config.get("versions", ()))

    @cached_property
    def proxies(self) -> Sequence[str]:
        """What its start was pre-trained on, a sentence each; empty for other starts."""
        report = read_json(self.folder / "start.json") or {}
        return tuple(report.get("proxies", ()))

    @cached_property
    def evaluated(self) -> Mapping[str, Json]:
        """What it was evaluated on: `labels`, and the `commonest_share` of one among them."""
        return (read_json(self.folder / "SUCCESS") or {}).get("evaluated") or {}

    @cached_property
    def chosen(self) -> Mapping[str, Json]:
        """The settings of its algorithm."""
        found: Mapping[str, Json] = self.config.get("config", {}).get("algorithm", {})
        return found

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
        if name not in self._probes:
            self._probes[name] = read_json(self.folder / "probes" / f"{name}.json")
        return self._probes[name]

    @cached_property
    def _probes(self) -> dict[str, Json]:
        return {}


def begun(run: Run) -> float:
    """Accuracy before the first round."""
    return run.first(FINAL)


def final(run: Run) -> float:
    return run.last(FINAL)


@dataclass(frozen=True)
class Analysis:
    """The output of one `analyze` step."""

    coordinates: Mapping[str, Json]
    folder: Path

    def probe(self, name: str) -> Json:
        return read_json(self.folder / "probes" / f"{name}.json")


@dataclass(frozen=True, eq=False)  # Equal to itself alone, so that what follows can be kept.
class Study:
    """A plan with the results there are; what failed is listed, not hidden.

    diverged: runs without rows, whose training ended in numbers that are not finite: an outcome.
    controls: runs of a start at the rates of another one, for what follows the rates.
    """

    plan: Mapping[str, Json]
    runs: Sequence[Run]
    analyses: Sequence[Analysis]
    unfinished: Sequence[Mapping[str, Json]]
    steps: Sequence[Mapping[str, Json]]
    passes: Sequence[Mapping[str, Json]] = ()
    diverged: Sequence[Run] = ()
    controls: Sequence[Run] = ()

    @property
    def command(self) -> str:
        """What made or continued the study last; empty where nothing recorded it."""
        return str(self.passes[-1].get("command", "")) if self.passes else ""

    @property
    def all_runs(self) -> list[Run]:
        return [*self.runs, *self.controls]

    def of_seeds(self, task: str, seeds: Iterable[int]) -> "Study":
        """What these seeds of a task have given, as if the rest had not been run."""
        kept = set(seeds)

        def among(coordinates: Mapping[str, Json]) -> bool:
            return coordinates.get("task") == task and coordinates.get("seed") in kept

        return replace(
            self,
            runs=[run for run in self.runs if among(run.coordinates)],
            analyses=[one for one in self.analyses if among(one.coordinates)],
            diverged=[run for run in self.diverged if among(run.coordinates)],
            controls=[run for run in self.controls if among(run.coordinates)],
        )

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
        return is_random(self.plan["tasks"].get(task, {}).get("starts", {}).get(start, {}))

    def random_start(self, task: str) -> str | None:
        return next(iter(self.random_starts(task)), None)

    def pretrained_starts(self, task: str) -> list[str]:
        return [start for start in self.starts(task) if not self.is_random(task, start)]

    def random_starts(self, task: str) -> list[str]:
        """The one that others are compared with, and further initialisations."""
        return [start for start in self.starts(task) if self.is_random(task, start)]


def is_random(flags: Mapping[str, Json]) -> bool:
    """Whether a start's flags make it random weights, and not a fitted head on random features."""
    head = str(flags.get("start_head", "auto"))
    kind = str(flags.get("start", "")).partition(":")[0]
    return kind == "random" and head in ("auto", "new")


def unique(values: Iterable[Json]) -> list[Json]:
    return list(dict.fromkeys(values))


def read_json(path: Path) -> Json:
    """The JSON value of a file; None when there is no such file."""
    try:
        return from_json.file(path)
    except FileNotFoundError:
        return None


def load_study(study_file: str | Path) -> Study:
    """Reads `study.json` and the finished runs it names."""
    path = Path(study_file)
    content = read_json(path)
    if content is None:
        raise UserError(f"--study: there is no {path}")
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        raise UserError(f"--study: {path} is not the study.json of a study")
    return study_of(content, path.parent)


# What a run says that ended because its numbers did.
NOT_FINITE = "is not finite"


def study_of(content: Mapping[str, Json], workdir: Path) -> Study:
    """A study from what `study.json` holds, and the folder it is in."""
    runs: list[Run] = []
    diverged: list[Run] = []
    controls: list[Run] = []
    analyses, unfinished = [], []
    for step in content["steps"]:
        if step["kind"] == "report":
            continue
        folder = workdir / (step["output"] or "")
        place = step["coordinates"]
        if step["status"] != "done" or not step["output"]:
            unfinished.append(step)
            if step["kind"] == "train" and NOT_FINITE in step["message"]:
                diverged.append(Run(place, folder, []))
        elif step["kind"] == "train":
            (controls if place.get("rates") else runs).append(load_run(folder, place))
        elif step["kind"] == "analyze":
            analyses.append(Analysis(place, folder))
    return Study(
        content["plan"],
        runs,
        analyses,
        unfinished,
        content["steps"],
        content.get("passes", ()),
        [run for run in diverged if not run.rates_of],
        [*controls, *(run for run in diverged if run.rates_of)],
    )


def load_run(folder: str | Path, coordinates: Mapping[str, Json] | None = None) -> Run:
    """Reads one run; without coordinates they are taken from its config."""
    folder = Path(folder)
    if not (folder / "SUCCESS").exists():
        raise UserError(f"{folder}: not a finished run (no SUCCESS file)")
    rows = from_json.lines(folder / "metrics.jsonl")
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


# What the report reads of a plan, where there is none.
NO_PLAN: Mapping[str, Json] = {
    "question": "",
    "origin": "",
    "reductions": [],
    "sweep": {},
    "analyze": {},
    "claims": [],
    "sections": [],
}


def study_of_runs(folders: Sequence[str | Path]) -> Study:
    """A report over single runs that no plan made."""
    runs = [load_run(folder) for folder in folders]
    starts: dict[str, dict[str, Json]] = {}
    for run in runs:
        task = starts.setdefault(run.task, {"starts": {}})
        task["starts"][run.start] = {"start": run.start}
    plan = {
        **NO_PLAN,
        "name": "runs",
        "title": "Federated runs",
        "tasks": starts,
        "algorithms": {run.algorithm: {} for run in runs},
    }
    return Study(plan, runs, [], [], [])
