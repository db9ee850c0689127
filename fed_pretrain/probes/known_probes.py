"""The probes by name, and the door for probes of the user's.

Names, help and refusals need no TensorFlow: a probe's file imports it when it measures.
"""

from collections.abc import Collection

from fed_pretrain.probes.probe import Probe
from groundwork.errors import UserError, check_choice
from groundwork.registry import Registry, late_classes

# FILE:CLASS, in the order of tables.
_ROWS = (
    "curvature:Hessian",
    "curvature:GaussNewton",
    "curvature:Fisher",
    "client_curvature:ClientCurvature",
    "eigenvector:Eigenvector",
    "alignment:Alignment",
    "drift:Drift",
    "misalignment:Misalignment",
    "distances:Distances",
    "landscape:Landscape",
    "plane:Plane",
    "loss:Loss",
    "baselines:Baselines",
    "ccvr:Ccvr",
)
KNOWN: Registry[type[Probe]] = Registry("probe", "--probes", late_classes(__package__, _ROWS))
known = KNOWN.known


def register(probe: type[Probe]) -> type[Probe]:
    """Makes a probe of yours known to `train` and `analyze`; use it as a class decorator."""
    if not probe.help:
        raise UserError(f"the probe {probe.__qualname__} has no help")
    return KNOWN.register(probe)


def in_rounds() -> dict[str, type[Probe]]:
    """Those that `train` may run."""
    return {name: probe for name, probe in known().items() if probe.in_rounds}


def at_checkpoints() -> dict[str, type[Probe]]:
    """Those that `analyze` may run."""
    return {name: probe for name, probe in known().items() if probe.at_checkpoints}


def of_a_run(listed: str) -> list[type[Probe]]:
    """The probes of a comma-separated list, each once and in that order; maybe none."""
    return _chosen(listed, in_rounds())


def of_an_analysis(listed: str, given: Collection[str]) -> list[type[Probe]]:
    """The same for `analyze`; `given` are the flags that name models (run, other_run, third_run).

    An empty list, and a probe that lacks one of its models, are refused.
    """
    probes = _chosen(listed, at_checkpoints())
    if not probes:
        raise UserError(f"--probes is empty; there are {', '.join(at_checkpoints())}")
    for probe in probes:
        probe.check(given)
    return probes


def options() -> list[type]:
    """The dataclasses whose fields are flags of `analyze`, each once."""
    found = [one for probe in at_checkpoints().values() for one in probe.options]
    return list(dict.fromkeys(found))


def _chosen(listed: str, known: dict[str, type[Probe]]) -> list[type[Probe]]:
    names = list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
    for name in names:
        check_choice("--probes", name, known)
    return [known[name] for name in names]
