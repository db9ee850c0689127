"""What the probes of an assembled run may use."""

from pathlib import Path

from fed_pretrain.experiment.assembly import Assembly
from fed_pretrain.probes.probe import ProbeContext


def probe_context(assembly: Assembly, folder: Path) -> ProbeContext:
    """`folder` is where the probes' files go."""
    config = assembly.config
    return ProbeContext(
        task=assembly.task,
        build_model=assembly.start.build_model,
        names=assembly.start.names[0],
        executor=assembly.executor,
        seed=config.seed,
        folder=folder,
        eval_split=config.evaluation.eval_split,
        curvature=config.curvature,
    )
