"""Probes of a start before training, or of any kept weights of a run, after the fact."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from fed_pretrain.experiment.analyses import registry, subject
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import Session, shared
from fed_pretrain.experiment.workdir import saved_config, workdir
from fed_pretrain.probes.figures import canvas
from groundwork import files
from groundwork.errors import UserError
from groundwork.locks import WorkdirLock


def analyze(config: AnalyzeConfig, session: Session | None = None) -> Path:
    """Writes the probes' JSON and figures; returns their folder.

    Below --workdir they lie in `probes/`, and SUCCESS is last. Without one they lie in the run's
    own `probes/round-N/`, and no file of the run changes.
    """
    measurements = registry.chosen(config.probes)
    root = _work_directory(config.run.workdir) if config.run.workdir else None
    looked_at = subject.find(config, assemble(config.run, session or shared()), root)
    looked_at.folder.mkdir(parents=True, exist_ok=True)
    with WorkdirLock(looked_at.folder):
        for leftover in looked_at.folder.glob(f"{files.TEMPORARY_PREFIX}*"):
            leftover.unlink()
        written = [file for one in measurements for file in _written(one, looked_at)]
    if root is not None:
        names = [f"probes/{file}" for file in written]
        workdir.write_success(root, workdir.flags_digest(config.run), names, {})
    return looked_at.folder


def run_config(folder: str, given: RunConfig) -> RunConfig:
    """The config of the run in `folder`, on this machine's executor, measured as is asked now."""
    saved = saved_config.read(Path(folder))
    by_client = saved.evaluation.eval_clients or given.evaluation.eval_clients
    return dataclasses.replace(
        saved,
        workdir=given.workdir,
        executor=given.executor,
        curvature=given.curvature,
        evaluation=dataclasses.replace(saved.evaluation, eval_clients=by_client),
        dataset=given.dataset or saved.dataset,
        task_module=given.task_module or saved.task_module,
    )


def _work_directory(path: str) -> Path:
    """A folder of its own: SUCCESS there speaks of one run or of one analysis."""
    if (Path(path) / "config.json").exists():
        raise UserError(
            f"--workdir={path}: holds a run; leave the flag out to write into the probes of --run,"
            " or name another folder"
        )
    root = workdir.create(path)
    (root / workdir.SUCCESS).unlink(missing_ok=True)
    return root


def _written(measurement: registry.Measurement, looked_at: subject.Subject) -> Iterator[str]:
    file, measured = measurement.file, measurement.measure(looked_at)
    content = workdir.write(looked_at.folder, file, measured, looked_at.provenance())
    yield f"{file}.json"
    made = measurement.draw(content) if measurement.draw else None
    if made is not None:
        canvas.save(made, looked_at.folder / f"{file}.png")
        yield f"{file}.png"
