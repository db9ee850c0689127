"""How a study was made: command, time, code, machine, data, starts, and the files of each run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, in_words
from fed_pretrain.reporting.results import FINAL, Run, Study, unique
from fed_pretrain.reporting.sections.next_steps import without_folders
from fed_pretrain.reporting.table import Cell, Table
from groundwork import versions
from groundwork.progress import duration
from groundwork.untyped import Json

# A study keeps its cores busy by itself; above this load a core, its seconds say little.
_BUSY = 2.5
_LIBRARIES = ("python", "tensorflow", "tensorflow-federated", "apache-beam", "numpy")


@dataclass(frozen=True)
class Made:
    """`study`, seen from the folder that the page is in."""

    study: Study
    output: Path

    @property
    def last_pass(self) -> Mapping[str, Json]:
        return self.study.passes[-1] if self.study.passes else {}

    def heading(self) -> str:
        """`63 steps, of which 2 did not finish`."""
        number = sum(step["kind"] != "report" for step in self.study.steps)
        if not number:
            return f"{counted(len(self.study.runs), 'run')} that no plan made"
        failed = len(self.study.unfinished)
        steps = counted(number, "step")
        return f"{steps}, of which {failed} did not finish" if failed else f"{steps}, all finished"

    def meta(self) -> list[str]:
        """The line below the answer: what was run, when, on what."""
        parts = [_grid(self.study), *self._when()]
        commit = self._commit()
        if commit:
            parts.append(f"commit {commit}")
        return parts

    def _when(self) -> Iterator[str]:
        begins = _times(self.study.passes, "begin")
        if not begins:
            return
        seconds = sum(
            (_time(one["end"]) - _time(one["begin"])).total_seconds() for one in self.study.passes
        )
        cores = self.last_pass.get("machine", {}).get("cores")
        where = f" on {counted(int(cores), 'CPU core')}" if cores else ""
        load = max((float(one.get("load") or 0) for one in self.study.passes), default=0.0)
        if cores and load > _BUSY * int(cores):
            where += f" that did much else (load {load:.0f})"
        yield f"{date(begins[0])}, {duration(seconds)}{where}"

    def _commit(self) -> str:
        commit = str(self.last_pass.get("commit") or "")[:7]
        return f"{commit} with local changes" if commit and self.last_pass.get("dirty") else commit

    def facts(self) -> list[tuple[str, str]]:
        """What the page lists, a name and a text each; what is not known is left out."""
        one = self.last_pass
        used, machine = one.get("versions", {}), one.get("machine", {})
        commit = str(one.get("commit") or "")
        dirty = one.get("dirty")
        state = "" if dirty is None else f", {'with' if dirty else 'no'} local changes"
        found = [
            ("command", without_folders(str(one.get("command", "")))),
            ("when", self._times()),
            ("commit", f"{commit[:12]}{state}" if commit else ""),
            ("versions", ", ".join(f"{n} {used[n]}" for n in _LIBRARIES if n in used)),
            ("machine", _machine(machine)),
            ("runs", "; ".join(versions.sentences(v for r in self.study.runs for v in r.versions))),
            ("steps", _steps(self.study)),
            ("data", "; ".join(_data(self.study))),
            ("starts", "; ".join(_starts(self.study))),
        ]
        return [(name, text) for name, text in found if text]

    def _times(self) -> str:
        begins, ends = _times(self.study.passes, "begin"), _times(self.study.passes, "end")
        if not begins:
            return ""
        times = f"{begins[0]:%Y-%m-%d %H:%M} to {ends[-1]:%Y-%m-%d %H:%M} UTC"
        passes = len(self.study.passes)
        return f"{times}, in {in_words(passes)} passes" if passes > 1 else times

    @property
    def runs(self) -> list[Run]:
        """Also the controls of equal rates, and what diverged."""
        study = self.study
        return [*study.all_runs, *(run for run in study.diverged if run not in study.all_runs)]

    def runs_html(self) -> Markup:
        table = self.runs_table()
        head = Markup("").join(Markup('<th scope="col">{}</th>').format(c) for c in table.header)
        rows = Markup("").join(
            Markup("<tr>{}<td>{}</td></tr>").format(
                Markup("").join(Markup("<td>{}</td>").format(_shown(cell)) for cell in row),
                self._links(run),
            )
            for row, run in zip(table.rows, self.runs, strict=True)
        )
        return Markup(
            '<div class="wide" tabindex="0" role="region" aria-label="All runs"><table'
            ' class="runs sortable"><thead><tr>{}<th class="pl" scope="col">files</th></tr></thead>'
            "<tbody>{}</tbody></table></div>"
        ).format(head, rows)

    def _links(self, run: Run) -> Markup:
        folder = os.path.relpath(run.folder, self.output)
        files = [("metrics.csv", "metrics"), ("config.json", "config"), ("start.json", "start")]
        links = [(f"{folder}/{name}", word) for name, word in files if (run.folder / name).exists()]
        log = Path(f"{run.folder}.log")
        links += [(f"{folder}.log", "log")] if log.exists() else []
        return Markup(" ").join(
            Markup('<a href="{}">{}</a>').format(where, word) for where, word in links
        )

    def runs_table(self) -> Table:
        """One row a run, numbers only in their columns."""
        names = Names(self.study)
        others = unique(
            name
            for run in self.runs
            for name, value in run.coordinates.items()
            if name not in ("task", "start", "algorithm", "seed") and value != ""
        )
        header = [
            "task", "start", "algorithm", *(name.replace("_", " ") for name in others), "seed",
            "client rate", "server rate", "rounds", "accuracy before", "accuracy after", "MB sent",
            "seconds", "memory MB",
        ]  # fmt: skip
        rows: list[list[Cell]] = [
            [
                names.task(run.task), names.start(run.task, run.start),
                names.algorithm(run.algorithm),
                *(str(run.coordinates.get(name, "")) for name in others),
                int(run.coordinates.get("seed", 0)), _rate(run, "client"), _rate(run, "server"),
                int(run.rows[-1]["round"]) if run.rows else 0, run.first(FINAL), run.last(FINAL),
                _sum(run, "bytes_down", "bytes_up") / 1e6, _sum(run, "seconds"),
                max((float(row.get("memory_mb") or 0) for row in run.rows), default=0.0),
            ]
            for run in self.runs
        ]  # fmt: skip
        return Table("runs", "Every run", header, rows)


def _grid(study: Study) -> str:
    """`48 runs: 3 tasks × 2 starts × 4 algorithms × 2 seeds`."""
    tasks = study.tasks
    seeds, algorithms = (
        [len(study.values(name, task=task)) for task in tasks] for name in ("seed", "algorithm")
    )
    parts = [
        counted(len(tasks), "task"),
        _spanned([len(study.starts(task)) for task in tasks], "start"),
        _spanned(algorithms, "algorithm"),
        _spanned(seeds, "seed"),
    ]
    controls = f" and {counted(len(study.controls), 'control')}" if study.controls else ""
    return f"{counted(len(study.runs), 'run')}: {' × '.join(parts)}{controls}"


def _spanned(counts: Sequence[int], noun: str) -> str:
    """`2–3 starts`, where tasks have them in different numbers."""
    least, most = min(counts, default=0), max(counts, default=0)
    return counted(most, noun) if least == most else f"{least}–{counted(most, noun)}"


def _times(passes: Sequence[Mapping[str, Json]], name: str) -> list[datetime]:
    return [_time(one[name]) for one in passes if one.get(name)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def date(when: datetime) -> str:
    return f"{when.day} {when:%B %Y}"


def _machine(machine: Mapping[str, Json]) -> str:
    if not machine:
        return ""
    return (
        f"{counted(int(machine['cores']), 'core')} of {machine['processor']},"
        f" {machine['memory_gib']:g} GiB, {machine['platform']}"
    )


def _steps(study: Study) -> str:
    kinds = [step["kind"] for step in study.steps if step["kind"] != "report"]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in unique(kinds))


def _data(study: Study) -> list[str]:
    """The fingerprint of each dataset, and the clients that runs leave out."""
    names, found = Names(study), []
    for task in study.tasks:
        runs = study.select(task=task)
        prints = unique(str(run.config.get("dataset_fingerprint", ""))[:12] for run in runs)
        shown = ", ".join(filter(None, prints))
        if shown:
            found.append(f"{names.task(task)} {shown}")
        counts = sorted({int(run.config.get("clients_left_out", 0)) for run in runs})
        if len(counts) > 1:
            found.append(
                f"{names.task(task)}: the runs leave out different numbers of clients"
                f" ({', '.join(map(str, counts))}), so they are not paired; give all of them the"
                " same --exclude_clients"
            )
    return found


def _starts(study: Study) -> list[str]:
    """The digest of each start that is the same for all seeds, and what it has seen."""
    names, found = Names(study), []
    for task in study.tasks:
        for start in study.starts(task):
            runs = study.select(task=task, start=start)
            digests = unique(str(run.config.get("start_digest", ""))[:12] for run in runs)
            name = f"{names.task(task)}, {names.start(task, start)}"
            if len(digests) == 1 and digests[0]:
                found.append(f"{name} {digests[0]}")
            found += [f"{name}: {told}" for told in unique(t for run in runs for t in run.proxies)]
    return found


def _rate(run: Run, side: str) -> float | None:
    rate = run.config.get("config", {}).get("algorithm", {}).get(f"{side}_learning_rate")
    return None if rate is None else float(rate)


def _sum(run: Run, *columns: str) -> float:
    return sum(float(row.get(column) or 0.0) for row in run.rows for column in columns)


def _shown(cell: Cell) -> str:
    if cell is None or cell != cell:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) < 1 else f"{cell:,.1f}"
    return str(cell)
