"""`--dry_run`: everything a run needs, checked, and what the run will cost, before it starts."""

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np

from fed_pretrain.experiment.assembly import round_clients
from fed_pretrain.experiment.assembly.assemble import Assembly, assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import Session, shared
from fed_pretrain.experiment.training.costs import Traffic
from fed_pretrain.experiment.training.run_probes import probes_of
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.checkpoints import StateLayout
from fed_pretrain.tasks import embedded_datasets
from groundwork.errors import UserError
from groundwork.memory import peak_megabytes
from groundwork.progress import duration
from groundwork.stores import mirror

_PROBE_CLIENTS = 4


def describe(config: RunConfig, session: Session | None = None) -> str:
    """Assembles the run, tries a part of its first round and reports what it found."""
    began = time.perf_counter()
    workdir.check_place(str(mirror.place(config.workdir)))
    prepares = embedded_datasets.to_prepare(config.task, config.dataset)
    assembly = assemble(config, session or shared())
    probes_of(assembly, Path(config.workdir))
    trial = _try_clients(assembly)
    lines = [
        *_data_lines(assembly),
        assembly.start_table(),
        f"algorithm {assembly.algorithm.label}",
        f"executor {assembly.executor.name}, devices {assembly.config.executor.devices}",
        *trial.lines(),
        *_cost_lines(assembly, trial),
        f"checked in {duration(time.perf_counter() - began)}; {_written(prepares)}",
    ]
    return "\n".join(lines)


def _written(prepared: Path | None) -> str:
    if prepared is None:
        return "nothing was written"
    return f"only the task's data was written, to {prepared}"


def _data_lines(assembly: Assembly) -> list[str]:
    task = assembly.task
    lines = [f"task {task.name}, model {task.model_name}, {task.num_classes} classes"]
    for split in task.dataset.splits:
        index = task.dataset.index(split)
        examples = int(np.sum(index.num_examples))
        lines.append(f"  {split}: {len(index.client_ids):,} clients, {examples:,} examples")
    lines.append(f"  dataset fingerprint {task.dataset.fingerprint[:16]}")
    return lines


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A round of the first few clients, twice: the first one compiles."""

    clients: int = 0
    first_seconds: float = 0.0
    compile_seconds: float = 0.0
    warm_seconds: float = 0.0
    engine_seconds: float = 0.0
    ops: str = ""

    def lines(self) -> list[str]:
        if not self.clients:
            return ["the first round has no clients: nothing was tried"]
        first = (
            f"the first round of {self.clients} clients took {self.first_seconds:.1f} s,"
            f" {self.compile_seconds:.1f} s of them to bring the algorithm to its map-reduce form;"
            f" the second {self.warm_seconds:.2f} s"
        )
        if self.engine_seconds:
            first += (
                f", {self.engine_seconds:.2f} s of them Beam's own for each round: it is for"
                " evaluations, Hessians and large cohorts"
            )
        return [self.ops, first] if self.ops else [first]


def _try_clients(assembly: Assembly) -> _Trial:
    """The preflight comes last: what it runs is compiled anew, and would hide the first round."""
    executor, algorithm = assembly.executor, assembly.algorithm
    layout = StateLayout.of(algorithm, assembly.start.names)
    state = layout.with_model(algorithm.initial_state(executor), assembly.start.weights)
    inputs = round_clients.inputs(assembly, 1)[:_PROBE_CLIENTS]
    if not inputs:
        return _Trial()
    first = executor.run_round(algorithm, state, inputs).seconds
    warm = executor.run_round(algorithm, state, inputs).seconds
    return _Trial(
        len(inputs),
        first["total"],
        first.get("compile", 0.0),
        warm["total"],
        warm.get("engine", 0.0),
        executor.op_table(algorithm, state, inputs[0]),
    )


def _cost_lines(assembly: Assembly, trial: _Trial) -> list[str]:
    config = assembly.config
    rounds = config.work.rounds or 0
    cohort = len(round_clients.inputs(assembly, 1))
    traffic = Traffic.of(assembly)
    numbers = range(1, rounds + 1)
    sent = sum(sum(traffic.round(r, round_clients.counted(assembly, r))) for r in numbers)
    disk = _disk_bytes(assembly)
    _check_disk(mirror.place(config.workdir), disk)
    lines = [
        f"{rounds:,} rounds of {cohort} clients: about {_gigabytes(sent)} sent,"
        f" {_gigabytes(disk)} on disk, {peak_megabytes():,.0f} MB of memory so far"
    ]
    if trial.clients:
        one_client = (trial.warm_seconds - trial.engine_seconds) / trial.clients
        total = trial.first_seconds + rounds * (trial.engine_seconds + one_client * cohort)
        lines.append(
            f"training takes about {duration(total)} (from {trial.clients} clients; evaluation and"
            " probes come on top)"
        )
    return lines


def _disk_bytes(assembly: Assembly) -> int:
    """Checkpoints hold the model, the optimizer and the last aggregate: about four models."""
    saving, evaluation = assembly.config.saving, assembly.config.evaluation
    report = assembly.start.report
    model = report.trainable_bytes + report.frozen_bytes
    checkpoints = (saving.keep_checkpoints + 2) * (model + 3 * report.trainable_bytes)
    rounds = assembly.config.work.rounds or 0
    snapshots = rounds // (assembly.config.probes.probe_every or evaluation.evaluate_every or 1)
    return checkpoints + (snapshots + 2) * report.trainable_bytes + 2 * model


def _check_disk(workdir: Path, needed: int) -> None:
    place = workdir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"--workdir={workdir}: needs about {_gigabytes(needed)}, but only"
            f" {_gigabytes(free)} are free there"
        )


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.2f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
