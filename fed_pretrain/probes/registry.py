"""The probes by name."""

from collections.abc import Callable

from fed_pretrain.models.weights import Weights
from fed_pretrain.probes import names
from fed_pretrain.probes.alignment import Alignment
from fed_pretrain.probes.curvature.rounds import HessianOfRounds
from fed_pretrain.probes.distances import Distances
from fed_pretrain.probes.drift import Drift
from fed_pretrain.probes.misalignment import Misalignment
from fed_pretrain.probes.probe import Probe, ProbeContext

_MAKERS: dict[str, Callable[[ProbeContext, Weights], Probe]] = {
    Alignment.name: lambda context, start: Alignment(context),
    Misalignment.name: lambda context, start: Misalignment(context),
    Distances.name: lambda context, start: Distances(start.trainable),
    Drift.name: lambda context, start: Drift(context),
    HessianOfRounds.name: lambda context, start: HessianOfRounds(context),
}


def make(chosen: str, context: ProbeContext, start: Weights) -> list[Probe]:
    """The probes of a comma-separated list, in that order."""
    return [_MAKERS[name](context, start) for name in names.listed(chosen, names.OF_A_RUN)]
