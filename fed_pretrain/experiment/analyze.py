"""Probes of a start before training, or of any kept weights of a run, after the fact."""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data_prep import atomic
from data_prep.errors import UserError
from data_prep.progress import Progress
from fed_pretrain.executors.api import ClientInput
from fed_pretrain.experiment import baseline_table, evaluations, saved_config, train, workdir
from fed_pretrain.experiment.assembly import TRAIN_SPLIT, Assembly, assemble
from fed_pretrain.experiment.config import RunConfig
from fed_pretrain.experiment.kept_weights import KeptWeights
from fed_pretrain.experiment.metrics import read_rows
from fed_pretrain.experiment.server_state import ModelArrays
from fed_pretrain.experiment.session import Session, shared
from fed_pretrain.probes import cohort_matrix, landscape
from fed_pretrain.probes.curvature import clients as client_curvature
from fed_pretrain.probes.curvature import probe as curvature
from fed_pretrain.probes.curvature import sample
from fed_pretrain.probes.curvature.loss_curvature import CurvatureOperator, curvature_computation
from fed_pretrain.probes.local_updates import LocalUpdates
from fed_pretrain.probes.misalignment import Misalignment
from fed_pretrain.probes.probe import ProbeContext
from fed_pretrain.tasks.global_evaluation import GlobalEvaluation


@dataclasses.dataclass(frozen=True)
class AnalyzeConfig:
    """`run` describes the start to look at; `probes` names what to measure.

    run_folder: looks at the weights that run kept after `round` instead; other_run: the other end
    of the landscape; clients: at most so many of the round's cohort.
    """

    run: RunConfig
    probes: tuple[str, ...]
    curvature: curvature.CurvatureConfig
    run_folder: str | None = None
    round: str = "last"
    other_run: str | None = None
    other_round: str = "last"
    clients: int | None = None
    points: int = 11
    baseline_epochs: int = 5


@dataclasses.dataclass(frozen=True)
class Subject:
    """Weights and everything they are measured with."""

    config: AnalyzeConfig
    assembly: Assembly
    weights: ModelArrays
    round_number: int
    kept: KeptWeights | None
    folder: Path

    @property
    def place(self) -> str:
        if self.kept is None:
            return "the start, before any update"
        return f"after round {self.round_number}"

    @property
    def cohort(self) -> list[str]:
        """The clients of the round that follows these weights."""
        return train.cohort_of(self.assembly, self.round_number + 1)[: self.config.clients]


def analyze(config: AnalyzeConfig, session: Session | None = None) -> Path:
    """Writes the probes' JSON and figures; returns their folder.

    Below --workdir they lie in `probes/`, and SUCCESS is last. Without one they lie in the run's
    own `probes/round-N/`, and no file of the run changes.
    """
    unknown = [name for name in config.probes if name not in _PROBES]
    if unknown:
        raise UserError(f"--probes: no probe {unknown[0]!r}; there are {', '.join(_PROBES)}")
    if not config.probes:
        raise UserError(f"--probes is empty; there are {', '.join(_PROBES)}")
    root = workdir.create(config.run.workdir) if config.run.workdir else None
    subject = _subject(config, assemble(config.run, session or shared()), root)
    subject.folder.mkdir(parents=True, exist_ok=True)
    written = [file for name in config.probes for file in _measure(name, subject)]
    if root is not None:
        names = [f"probes/{file}" for file in written]
        workdir.write_success(root, workdir.flags_digest(config.run), names, {})
    return subject.folder


def run_config(folder: str, given: RunConfig) -> RunConfig:
    """The config of the run in `folder`, on this machine's executor and at this place."""
    saved = saved_config.read(Path(folder))
    return dataclasses.replace(
        saved,
        workdir=given.workdir,
        executor=given.executor,
        dataset=given.dataset or saved.dataset,
        task_module=given.task_module or saved.task_module,
    )


def _subject(config: AnalyzeConfig, assembly: Assembly, root: Path | None) -> Subject:
    if config.run_folder is None:
        if root is None:
            raise UserError("--workdir is missing")
        start = ModelArrays(*assembly.start.weights)
        return Subject(config, assembly, start, 0, None, root / "probes")
    kept = KeptWeights(Path(config.run_folder), assembly.start.names)
    number = kept.round_of(config.round)
    own = Path(config.run_folder) / "probes" / f"round-{number:06d}"
    folder = root / "probes" if root is not None else own
    return Subject(config, assembly, kept.read(number), number, kept, folder)


def _measure(name: str, subject: Subject) -> Iterator[str]:
    from fed_pretrain.probes import figures

    content = {**_PROBES[name](subject), "provenance": provenance(subject)}
    file = _FILES.get(name, name)
    atomic.write_json(subject.folder / f"{file}.json", content)
    yield f"{file}.json"
    yield from figures.write(file, content, subject.folder)


def provenance(subject: Subject) -> dict[str, Any]:
    """What the numbers are of."""
    facts = {
        **workdir.model_facts(subject.assembly),
        "start_digest": subject.assembly.start.digest,
        "seed": subject.assembly.config.seed,
        "where": subject.place,
    }
    if subject.kept is not None:
        facts |= {"run": str(subject.config.run_folder), "round": subject.round_number}
    return facts


def _operator_kind(kind: str) -> "Measure":
    def measured(subject: Subject) -> dict[str, Any]:
        config, index = subject.config.curvature, subject.assembly.task.dataset.index(TRAIN_SPLIT)
        drawn = sample.draw(index, config.examples, config.seed)
        operator = _operator(subject, drawn, kind)
        progress = Progress(kind, config.iterations, stream=sys.stderr)

        def show(iteration: int, value: float, residual: float) -> None:
            progress.update(iteration, f"top {value:.5g}, relative residual below {residual:.1e}")

        content = curvature.measure(operator, drawn, config, show)
        progress.close()
        return {**content, "operator": kind}

    return measured


def _operator(
    subject: Subject, drawn: sample.Sample, kind: str, batch: int | None = None
) -> CurvatureOperator:
    assembly = subject.assembly
    task, build_model = assembly.task, assembly.start.build_model
    reader = task.reader(TRAIN_SPLIT)
    batch = batch or sample.micro_batch(reader, drawn, task.kind != "text")
    computation = assembly.session.cached(
        (kind, id(task), repr(build_model.identity()), batch),
        lambda: curvature_computation(task, build_model, batch, kind),
    )
    return curvature.operator_for(
        task,
        build_model,
        assembly.executor,
        subject.weights,
        drawn,
        computation=computation,
        kind=kind,
        batch=batch,
    )


def _clients(subject: Subject) -> dict[str, Any]:
    config, cohort = subject.config.curvature, subject.cohort
    task = subject.assembly.task
    index = task.dataset.index(TRAIN_SPLIT)
    share = None if config.examples is None else max(1, config.examples // len(cohort))
    drawn = {name: sample.of_client(index, name, share, config.seed) for name in cohort}
    pooled = sample.Sample(tuple(one.clients[0] for one in drawn.values()), 0, config.seed)
    batch = sample.micro_batch(task.reader(TRAIN_SPLIT), pooled, task.kind != "text")
    progress = Progress("clients", len(cohort), stream=sys.stderr)
    content = client_curvature.measure(
        lambda client: _operator(subject, drawn[client.client_id], "hessian", batch),
        [ClientInput(name, dict) for name in cohort],
        seed=config.seed,
        iterations=config.iterations,
        tolerance=config.tolerance,
        on_client=lambda number, value: progress.update(number, f"top {value:.5g}"),
    )
    progress.close()
    return {**content, "unit": curvature.UNIT, "operator": "hessian"}


def _alignment(subject: Subject) -> dict[str, Any]:
    assembly, cohort = subject.assembly, subject.cohort
    coming = subject.round_number + 1
    algorithm = assembly.config.algorithm
    assert algorithm is not None
    local = LocalUpdates(
        assembly.task,
        assembly.start.build_model,
        assembly.executor,
        train.work_of(assembly, coming),
        algorithm.client_learning_rate,
    )
    found = local(subject.weights, cohort, assembly.config.seed, coming)
    content = cohort_matrix.measure((update for update, _ in found), cohort)
    return {**content, "client_learning_rate": local.learning_rate, "round": coming}


def _misalignment(subject: Subject) -> dict[str, Any]:
    kept, assembly = subject.kept, subject.assembly
    if kept is None:
        raise UserError("--probes=misalignment compares rounds of a run: give --run=DIR")
    context = ProbeContext(
        task=assembly.task,
        build_model=assembly.start.build_model,
        names=assembly.start.names[0],
        executor=assembly.executor,
        work=assembly.work,
        seed=assembly.config.seed,
        folder=subject.folder,
    )
    rounds = [number for number in kept.rounds() if number <= subject.round_number]

    def reader(number: int) -> Callable[[], ModelArrays]:
        return lambda: kept.read(number)

    return Misalignment(context).measure([(number, reader(number)) for number in rounds])


def _landscape(subject: Subject) -> dict[str, Any]:
    """From the start, or from another run's weights, to these."""
    config, assembly = subject.config, subject.assembly
    if config.other_run is not None:
        other = KeptWeights(Path(config.other_run), assembly.start.names)
        number = other.round_of(config.other_round)
        first, name = other.read(number), f"{config.other_run} after round {number}"
    elif subject.kept is not None:
        first, name = ModelArrays(*assembly.start.weights), "the start"
    else:
        raise UserError("--probes=landscape needs two ends: give --run=DIR (and --other_run=DIR)")
    splits = {}
    for split in (TRAIN_SPLIT, assembly.config.evaluation.eval_split):
        evaluate = GlobalEvaluation(
            assembly.task,
            assembly.start.build_model,
            split,
            max_examples=config.curvature.examples,
            seed=config.curvature.seed,
        )
        splits[split] = landscape.interpolate(first, subject.weights, evaluate, config.points)
    return {
        "first": name,
        "second": subject.place,
        "splits": splits,
        "examples": config.curvature.examples,
        "unit": "mean loss in nats; barrier: rise above the straight line between the ends",
    }


def _baselines(subject: Subject) -> dict[str, Any]:
    """Fine-tuning without averaging, of the start and (with --run) of the federated model."""
    kept, sent = subject.kept, (0, 0)
    if kept is not None:
        rows = read_rows(Path(str(subject.config.run_folder)) / "metrics.jsonl")
        until = [row for row in rows if row["round"] <= subject.round_number]
        sent = (sum(row["bytes_down"] for row in until), sum(row["bytes_up"] for row in until))
    content = baseline_table.measure(
        subject.assembly,
        None if kept is None else subject.weights,
        sent,
        subject.config.baseline_epochs,
        subject.config.clients,
    )
    print(baseline_table.table(content))
    return content


def _loss(subject: Subject) -> dict[str, Any]:
    return evaluations.Evaluations(subject.assembly).row(subject.weights, [])


Measure = Callable[[Subject], dict[str, Any]]
_PROBES: dict[str, Measure] = {
    "hessian": _operator_kind("hessian"),
    "gauss_newton": _operator_kind("gauss_newton"),
    "fisher": _operator_kind("fisher"),
    "clients": _clients,
    "alignment": _alignment,
    "misalignment": _misalignment,
    "landscape": _landscape,
    "loss": _loss,
    "baselines": _baselines,
}
_FILES = {"hessian": "eigenvalues"}
