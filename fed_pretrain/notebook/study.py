"""A small study from a notebook: starts times algorithms times seeds, compared on the same clients.

Its folder is that of a study: `python -m fed_pretrain.report --study=FOLDER/study.json` reads it.
"""

import dataclasses
import datetime
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.training.run import train as train_config
from fed_pretrain.notebook import (
    algorithms,
    figures,
    frames,
    losses,
    models,
    quietly,
    starts,
    watching,
)
from fed_pretrain.notebook.algorithms import Algorithm
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.clients import Clients
from fed_pretrain.notebook.clients import clients as clients_of
from fed_pretrain.notebook.losses import Loss
from fed_pretrain.notebook.models import Model
from fed_pretrain.notebook.run import Place, TrainedRun, config_of
from fed_pretrain.notebook.starts import Given
from fed_pretrain.notebook.starts import rates as rates_of
from fed_pretrain.notebook.watching import OnRound
from fed_pretrain.reporting import results
from fed_pretrain.reporting.table import file_name
from fed_pretrain.starts.start_config import StartConfig
from groundwork import files, versions
from groundwork.errors import UserError
from groundwork.untyped import Json, Nested

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fed_pretrain.reporting.claims.row import Row

_FILE = "study.json"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run of the study, or the probes of a start before training."""

    start: str
    algorithm: str
    seed: int
    config: RunConfig
    probes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "analyze" if self.probes else "train"

    @property
    def coordinates(self) -> dict[str, Json]:
        place = {"task": self.config.task, "partition": "", "start": self.start}
        if self.probes:
            return {"analysis": "start", **place, "seed": self.seed}
        return {**place, "algorithm": self.algorithm, "seed": self.seed}

    @property
    def output(self) -> str:
        parts = (self.kind, self.start, "" if self.probes else self.algorithm, f"seed_{self.seed}")
        return "/".join(file_name(part) for part in parts if part)


class Comparison:
    """The runs of a study, what they say together, and its report."""

    def __init__(self, folder: Path, clients: Clients, runs: Sequence[tuple[Cell, TrainedRun]]):
        self.workdir = folder
        self.clients = clients
        self._runs = list(runs)

    @property
    def runs(self) -> list[TrainedRun]:
        return [run for _, run in self._runs]

    def run(self, start: str, algorithm: str | None = None, seed: int | None = None) -> TrainedRun:
        """The one at these coordinates, the first where several are."""
        for cell, run in self._runs:
            if (
                cell.start == start
                and algorithm in (None, cell.algorithm)
                and seed in (None, cell.seed)
            ):
                return run
        asked = {"start": start, "algorithm": algorithm, "seed": seed}
        told = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
        raise ArgumentError(f"{told}: no finished run of the study is there")

    def frame(self) -> "pd.DataFrame":
        """A row a round of every run, with its start, algorithm and seed in front."""
        return frames.of_rows(
            [
                {"start": cell.start, "algorithm": cell.algorithm, "seed": cell.seed, **row}
                for cell, run in self._runs
                for row in run.rows
            ]
        )

    def summary(self) -> "pd.DataFrame":
        """Mean and deviation over seeds of the last evaluation, by start and algorithm."""
        last = frames.of_rows(
            [
                {
                    "start": cell.start,
                    "algorithm": cell.algorithm,
                    "accuracy": run.accuracy,
                    "loss": run.loss,
                }
                for cell, run in self._runs
            ]
        )
        return last.groupby(["start", "algorithm"], sort=False).agg(["mean", "std"])

    def plot(self, column: str = "eval_accuracy", ax: "Axes | None" = None) -> "Figure":
        """A column by round: the mean over seeds, and the range of the single runs.

        A start has a colour, an algorithm a kind of line.
        """
        begins = list(dict.fromkeys(cell.start for cell, _ in self._runs))
        chosen = list(dict.fromkeys(cell.algorithm for cell, _ in self._runs))
        curves: dict[tuple[str, int, int], list[Sequence[Mapping[str, Json]]]] = {}
        for cell, run in self._runs:
            look = self._label(cell), begins.index(cell.start), chosen.index(cell.algorithm)
            curves.setdefault(look, []).append(run.rows)
        return figures.comparison(curves, column, ax)

    def claims(self) -> "Claims":
        """What the study says of each claim of the papers, and how sure it is."""
        from fed_pretrain.reporting.claims import ledger

        return Claims(ledger.rows(self.results))

    def best(self) -> TrainedRun:
        """The run of the best last accuracy on the held-out examples."""
        if not self._runs:
            raise ArgumentError("no run of the study has finished")
        return max(self.runs, key=lambda run: run.accuracy)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes the report: one page for a path that ends with .html, otherwise a folder of it
        with figures for papers and tables."""
        from fed_pretrain.reporting.study_report import ReportConfig, make_report

        study, target = str(self.workdir / _FILE), Path(path)
        with naming(output="path"):
            if target.suffix != ".html":
                return make_report(ReportConfig(str(target), study))
            page = make_report(ReportConfig(str(self.workdir / "report"), study, figures=False))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, target)
            return target

    @property
    def results(self) -> results.Study:
        """As the parts of the report take it."""
        return results.load_study(self.workdir / _FILE)

    def _label(self, cell: Cell) -> str:
        several = len({other.algorithm for other, _ in self._runs}) > 1
        return f"{cell.start}, {cell.algorithm}" if several else cell.start

    def __repr__(self) -> str:
        groups: dict[str, list[float]] = {}
        for cell, run in self._runs:
            groups.setdefault(self._label(cell), []).append(run.accuracy)
        lines = [f"study of {self.clients.task}: {len(self._runs)} runs; {self.workdir}"]
        for label, found in groups.items():
            mean = sum(found) / len(found)
            lines.append(f"  {label}: accuracy {mean:.4f} over {len(found)} seeds")
        return "\n".join(lines)


class Claims(Sequence["Row"]):
    """The rows of the ledger; a table in a notebook."""

    def __init__(self, rows: Sequence["Row"]) -> None:
        self._rows = rows

    def __getitem__(self, index: Json) -> Json:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def frame(self) -> "pd.DataFrame":
        return frames.of_rows([_claim(row) for row in self._rows])

    def __repr__(self) -> str:
        if not self._rows:
            return "no claim can be asked: a random start and another one are wanted"
        return "\n".join(
            f"{row.start}: {row.claim.short}: {row.verdict}{f' ({row.why})' if row.why else ''}"
            for row in self._rows
        )

    def _repr_html_(self) -> str:
        return str(self.frame()._repr_html_()) if self._rows else repr(self)


def _claim(row: "Row") -> dict[str, Json]:
    low, high = row.interval or (None, None)
    return {
        "claim": row.claim.short,
        "start": row.start,
        "verdict": str(row.verdict),
        "estimate": row.estimate,
        "low": low,
        "high": high,
        "p": row.adjusted_p,
        "why": row.why,
    }


def compare(
    clients: Nested,
    *,
    model: Model = None,
    starts: "Mapping[str, Given] | None" = None,
    algorithms: "str | Algorithm | Sequence[str | Algorithm]" = "fedavg",
    rounds: int | None = None,
    seeds: int | Iterable[int] = 3,
    clients_per_round: int | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    loss: Loss | None = None,
    probes_at_start: Sequence[str] = (),
    on_round: OnRound | None = None,
    workdir: str | os.PathLike[str] | None = None,
    title: str = "Where should training begin?",
    **settings: Json,
) -> Comparison:
    """Trains every start with every algorithm and seed; cohorts are the same for all of them.

    Args:
      clients, model, rounds, clients_per_round, batch_size, epochs, loss, on_round, settings: as of
        `fed_pretrain.train`.
      starts: a name and a start each, as `start` of `fed_pretrain.train` takes it; claims compare
        each with the random one.
      algorithms: usual names, or `fed_pretrain.algorithm(...)`.
      seeds: how many, or which.
      probes_at_start: what is measured of each start before training, such as ["hessian"].
      workdir: keeps the study; the same call on the same folder does what is not done yet.
      title: of the report.
    """
    with watching.one_at_a_time(), naming(), Place(workdir) as place:
        held = clients_of(clients)
        given = {
            "rounds": rounds,
            "clients_per_round": clients_per_round,
            "batch_size": batch_size,
            "epochs": epochs,
            **settings,
        }
        begins = _starts(starts, model, held, place)
        chosen = _algorithms(algorithms)
        rates = {str(name): rates_of(one) for name, one in (starts or {"random": "random"}).items()}
        name = models.named(model, held, place.parts)
        task = losses.task_with(held.task, loss)

        def config(start: str, algorithm: Algorithm, seed: int) -> RunConfig:
            own = given | rates[start]
            return config_of(held, task, name, algorithm, seed, own, start=begins[start])

        cells = list(_cells(list(begins), chosen, _seeds(seeds), tuple(probes_at_start), config))
        record = _Record(place.folder, title, cells, begins, chosen)
        runs = [
            (cell, run)
            for number, cell in enumerate(cells)
            if (run := _done(number, cell, record, held, on_round)) is not None
        ]
        study = Comparison(place.folder, held, runs)
        place.goes_with(study)
        return study


def _starts(
    given: Mapping[str, Given] | None, model: Model, clients: Clients, place: Place
) -> dict[str, StartConfig]:
    if given is not None and (not isinstance(given, Mapping) or not given):
        raise ArgumentError("starts: a name and a start each are wanted, {'random': 'random', ...}")
    name = models.named(model, clients, place.parts)
    return {
        str(label): starts.resolved(one, f"starts[{label!r}]", model, name, clients, place.parts)
        for label, one in (given or {"random": "random"}).items()
    }


def _algorithms(given: str | Algorithm | Sequence[str | Algorithm]) -> dict[str, Algorithm]:
    listed = [given] if isinstance(given, (str, Algorithm)) else list(given)
    if not listed:
        raise ArgumentError("algorithms is empty")
    return {one.label: one for one in map(algorithms.of, listed)}


def _seeds(given: int | Iterable[int]) -> list[int]:
    found = list(range(given)) if isinstance(given, int) else [int(seed) for seed in given]
    if not found:
        raise ArgumentError(f"seeds={given!r}: at least one is wanted")
    return found


def _cells(
    begins: Sequence[str],
    chosen: Mapping[str, Algorithm],
    seeds: Sequence[int],
    probes: tuple[str, ...],
    config: Callable[[str, Algorithm, int], RunConfig],
) -> Iterator[Cell]:
    """Seeds come last, so that runs of one program follow each other."""
    first = next(iter(chosen.values()))
    for start, seed in itertools.product(begins if probes else (), seeds):
        yield Cell(start, "", seed, config(start, first, seed), probes)
    for start, (name, one), seed in itertools.product(begins, chosen.items(), seeds):
        yield Cell(start, name, seed, config(start, one, seed))


def _done(
    number: int, cell: Cell, record: "_Record", clients: Clients, on_round: OnRound | None
) -> TrainedRun | None:
    """The finished run of a cell; of one whose numbers end, nothing: that is a result as well."""
    folder = record.folder / cell.output
    config = dataclasses.replace(cell.config, workdir=str(folder))
    began, followers = time.monotonic(), watching.followers(on_round, record.label(number))
    try:
        with naming(start=f"starts[{cell.start!r}]"), quietly.running():
            if cell.probes:
                from fed_pretrain.notebook import probing

                probing.of_start(config, cell.probes)
                record.update(number, "done", time.monotonic() - began)
                return None
            result = train_config(config, followers=followers)
    except UserError as error:
        if results.NOT_FINITE not in str(error):
            raise
        record.update(number, "failed", time.monotonic() - began, str(error))
        return None
    if not result.finished:
        raise KeyboardInterrupt(
            f"{result.reason}; the same call on workdir={record.folder} goes on"
        )
    record.update(number, "done", time.monotonic() - began)
    return TrainedRun(config, result, clients)


class _Record:
    """`study.json`, written after every step."""

    def __init__(
        self,
        folder: Path,
        title: str,
        cells: Sequence[Cell],
        begins: Mapping[str, StartConfig],
        chosen: Mapping[str, Algorithm],
    ) -> None:
        self.folder = folder
        self._cells = cells
        self._plan = _plan(title, cells, begins, chosen)
        self._steps: list[dict[str, Json]] = [_step(cell) for cell in cells]
        self._begin = _now()

    def label(self, number: int) -> str:
        cell = self._cells[number]
        return f"{number + 1}/{len(self._cells)} {cell.start} {cell.algorithm} seed {cell.seed}"

    def update(self, number: int, status: str, seconds: float, message: str = "") -> None:
        self._steps[number] |= {"status": status, "message": message, "seconds": round(seconds, 3)}
        done = {
            "command": "fed_pretrain.compare(...)",
            "begin": self._begin,
            "end": _now(),
            "commit": versions.current().get("commit"),
            "dirty": versions.dirty(),
            "versions": versions.current(),
            "machine": versions.machine(),
        }
        content = {"plan": self._plan, "steps": self._steps, "passes": [done]}
        files.write_json(self.folder / _FILE, content)


def _plan(
    title: str,
    cells: Sequence[Cell],
    begins: Mapping[str, StartConfig],
    chosen: Mapping[str, Algorithm],
) -> dict[str, Json]:
    """What a plan would say, as far as the report reads it."""
    task = cells[0].config.task
    return {
        **results.NO_PLAN,
        "name": "notebook",
        "title": title,
        "origin": "a notebook",
        "tasks": {task: {"starts": {name: {"start": _spec(one)} for name, one in begins.items()}}},
        "algorithms": {name: dict(one.settings) for name, one in chosen.items()},
        "seeds": sorted({cell.seed for cell in cells}),
    }


def _spec(start: StartConfig) -> str:
    """Random is what claims compare with: a head from the clients' data is more than that."""
    return f"{start.spec}, head {start.head}" if start.fits_head else start.spec


def _step(cell: Cell) -> dict[str, Json]:
    return {
        "id": cell.output,
        "kind": cell.kind,
        "coordinates": cell.coordinates,
        "status": "waiting",
        "message": "",
        "output": cell.output,
        "seconds": 0.0,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
