"""The probes by name, and the door for probes of one's own.

Names, help and refusals need no TensorFlow: a probe's file imports it when it measures.
"""

import importlib
from collections.abc import Collection
from typing import TypeVar

from fed_pretrain.probes.probe import Probe
from groundwork import plugins
from groundwork.errors import UserError, nearest

AnyProbe = TypeVar("AnyProbe", bound=type[Probe])

# FILE.CLASS, in the order of tables.
_ROWS = (
    "curvature.Hessian",
    "curvature.GaussNewton",
    "curvature.Fisher",
    "client_curvature.ClientCurvature",
    "eigenvector.Eigenvector",
    "alignment.Alignment",
    "drift.Drift",
    "misalignment.Misalignment",
    "distances.Distances",
    "landscape.Landscape",
    "plane.Plane",
    "loss.Loss",
    "baselines.Baselines",
    "ccvr.Ccvr",
)
_registered: dict[str, type[Probe]] = {}


def register(probe: AnyProbe) -> AnyProbe:
    """Makes a probe of yours known to `train` and `analyze`; use it as a class decorator."""
    if not probe.name or not probe.help:
        raise UserError(f"the probe {probe.__qualname__} has no name or no help")
    plugins.check_free("probe", probe.name, known(), probe)
    _registered[probe.name] = probe
    return probe


def known() -> dict[str, type[Probe]]:
    """Every probe by name."""
    found: dict[str, type[Probe]] = {}
    for row in _ROWS:
        module, name = row.split(".")
        probe: type[Probe] = getattr(importlib.import_module(f"fed_pretrain.probes.{module}"), name)
        found[probe.name] = probe
    return found | _registered


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
        if name not in known:
            hint = nearest(name, list(known))
            raise UserError(f"--probes: no probe {name!r}{hint}; there are {', '.join(known)}")
    return [known[name] for name in names]
