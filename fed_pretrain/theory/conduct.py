"""Runs a named sweep and writes its tables and figures."""

import dataclasses
import functools
import time
from pathlib import Path

from fed_pretrain.theory import bound, figures, sweeps, tables, three_layers
from fed_pretrain.theory.laboratory import run
from groundwork.errors import UserError
from groundwork.files import write_bytes, write_json, write_text
from groundwork.progress import Progress, duration


@dataclasses.dataclass(frozen=True)
class TheoryConfig:
    """seeds: how many; precision: "single" or "double"; grids: in place of the sweep's own."""

    sweep: str
    workdir: str
    seeds: int = 10
    first_seed: int = 0
    precision: str = "single"
    grids: sweeps.Grids = sweeps.AS_DEFINED

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"--seeds={self.seeds}, must be at least 1")


@dataclasses.dataclass(frozen=True)
class Conducted:
    table: list[tables.Row]
    files: list[Path]
    seconds: float


def conduct(config: TheoryConfig) -> Conducted:
    """Writes sweep.json, results.json, results.csv and the figures the sweep's parts give."""
    sweep = sweeps.get(config.sweep, config.grids)
    folder = Path(config.workdir)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    table = _measure(sweep, config)
    seconds = time.monotonic() - began
    files = [folder / "sweep.json", folder / "results.json", folder / "results.csv"]
    about = {
        "config": dataclasses.asdict(config),
        "summary": sweep.summary,
        "settings": sweep.num_settings,
        "parts": {part.name: dataclasses.asdict(part.problem) for part in sweep.parts},
        "seconds": round(seconds, 1),
        "bound_shape": bound.MARK,
        "intervals": "95 %, Student's t over the seeds; a seed is data, start and test set",
    }
    write_json(files[0], about)
    write_json(files[1], table)
    write_text(files[2], tables.to_csv(table))
    for name, png in figures.draw_all(table).items():
        files.append(folder / f"{name}.png")
        write_bytes(files[-1], png)
    return Conducted(table, files, seconds)


def _measure(sweep: sweeps.Sweep, config: TheoryConfig) -> list[tables.Row]:
    dtype = {"single": "float32", "double": "float64"}[config.precision]
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    # Parts differ in steps: progress counts local steps of all runs.
    total = sum(len(part.settings) * part.problem.steps for part in sweep.parts)
    progress, before = Progress(f"sweep {sweep.name}", total * config.seeds), 0
    table = []
    for part in sweep.parts:
        each = part.problem.steps * config.seeds
        show = functools.partial(_show, progress, part.name, before, each)
        results = (three_layers.run if part.problem.hidden else run)(
            part.problem, part.settings, seeds, part.records, dtype, part.every_test, show
        )
        table += tables.rows(part.name, results)
        before += len(part.settings) * each
    progress.close(f"{sweep.num_settings} settings x {config.seeds} seeds")
    return table


def _show(progress: Progress, part: str, before: int, each: int, done: int, _: int) -> None:
    progress.update(before + done * each, f"local steps, {part}")


def summary(config: TheoryConfig, conducted: Conducted) -> str:
    table = conducted.table
    lines = [f"{config.sweep}: {duration(conducted.seconds)}; written: {config.workdir}"]
    rebuilt = [row["reconstruction"] for row in table if row["reconstruction"] is not None]
    if rebuilt:
        lines.append(f"  decomposition rebuilds the weights to {max(rebuilt):.1e}")
    of_filters = [row for row in table if row["least_growth"] is not None]
    if of_filters:
        least = min(row["least_growth"] for row in of_filters)
        turned = sum(row["turned"] for row in of_filters)
        lines += [
            f"  least growth of any Gamma between records: {least:.1e} (theory: not below 0)",
            f"  aligned filters that turned: {turned:.0f} (theory: none)",
        ]
    return "\n".join(lines)
