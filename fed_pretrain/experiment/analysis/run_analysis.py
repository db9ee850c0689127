"""Probes of a start before training, or of any kept weights of a run, after the fact."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.store import manifest
from fed_pretrain.experiment.analysis import subject_of_run
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig
from fed_pretrain.experiment.assembly.assemble import Assembly, assemble
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.assembly.session import Session, shared
from fed_pretrain.experiment.workdir import saved_config, workdir
from fed_pretrain.probes import drawing, known_probes
from fed_pretrain.probes.probe import Probe
from groundwork import files, plugins
from groundwork.errors import UserError
from groundwork.locks import WorkdirLock
from groundwork.stores import mirror
from groundwork.untyped import Json


def analyze(config: AnalyzeConfig, session: Session | None = None) -> Path:
    """Writes the probes' JSON and figures; returns their folder.

    They go to `probes/` below --workdir, where SUCCESS is last; without one to the run's own
    `probes/round-N/`, and no file of the run changes.
    """
    chosen = known_probes.of_an_analysis(",".join(config.probes), config.given)
    if not config.run.workdir:
        return _analyze(config, chosen, None, session)
    with mirror.working(config.run.workdir, last=workdir.SUCCESS) as place:
        return _analyze(config, chosen, _work_directory(str(place)), session)


def _analyze(
    config: AnalyzeConfig, chosen: list[type[Probe]], root: Path | None, session: Session | None
) -> Path:
    assembly = assemble(config.run, session or shared())
    subject = subject_of_run.find(config, assembly, root)
    probes = [probe(subject) for probe in chosen]
    provenance = _provenance(config, assembly, subject.round_number)
    subject.folder.mkdir(parents=True, exist_ok=True)
    with WorkdirLock(subject.folder):
        workdir.remove_leftovers(root or subject.folder)
        written = [file for probe in probes for file in _written(probe, provenance)]
    if root is not None:
        names = [f"probes/{file}" for file in written]
        workdir.write_success(root, workdir.flags_digest(config.run), names, {})
    return subject.folder


def run_config(folder: str, given: RunConfig) -> RunConfig:
    """The config of the run in `folder`, on this machine's executor, measured as is asked now."""
    saved = saved_config.read(Path(folder))
    plugins.report_unloaded(f"--run={folder}", saved.plugins)
    if given.dataset is None:
        found = manifest.fingerprint_at(saved.dataset)
        workdir.check_dataset(Path(folder), saved.dataset, found)
    by_client = saved.evaluation.eval_clients or given.evaluation.eval_clients
    return dataclasses.replace(
        saved,
        workdir=given.workdir,
        executor=given.executor,
        curvature=given.curvature,
        evaluation=dataclasses.replace(saved.evaluation, eval_clients=by_client),
        dataset=given.dataset or saved.dataset,
        plugins=given.plugins,
    )


def _work_directory(path: str) -> Path:
    """A folder without a run: SUCCESS there is of one run or of one analysis."""
    if (Path(path) / "config.json").exists():
        raise UserError(
            f"--workdir={path}: holds a run; leave the flag out to write into the probes of --run,"
            " or name another folder"
        )
    root = workdir.create(path)
    files.remove(root / workdir.SUCCESS)
    return root


def _provenance(config: AnalyzeConfig, assembly: Assembly, round_number: int) -> dict[str, Json]:
    """What the numbers are of."""
    if config.run_folder is None:
        return workdir.of_start(assembly)
    return {**workdir.of_round(assembly, round_number), "run": str(config.run_folder)}


def _written(probe: Probe, provenance: Mapping[str, Json]) -> Iterator[str]:
    folder, measured = probe.subject.folder, probe.measure()
    content = workdir.write(folder, probe.file, measured, provenance)
    yield f"{probe.file}.json"
    made = probe.draw(content)
    if made is not None:
        drawing.save(made, folder / f"{probe.file}.png")
        yield f"{probe.file}.png"
