"""Probe results as PNG files beside their JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data_prep import atomic
from fed_pretrain.probes.curvature.spectral_density import SpectralDensity

_COLOURS = ("#0072B2", "#D55E00", "#009E73")


def write(name: str, content: Mapping[str, Any], folder: Path) -> list[str]:
    """Draws what `name`'s content holds; returns the files written, maybe none."""
    draw = _DRAWINGS.get(name)
    if draw is None:
        return []
    made = draw(content)
    if made is None:
        return []
    with atomic.replacing(folder / f"{name}.png") as path:
        made.savefig(path, format="png", dpi=130, metadata={"Software": None})
    return [f"{name}.png"]


def _axes(title: str, horizontal: str, vertical: str) -> tuple[Figure, Any]:
    made = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = made.subplots()
    axes.set(title=title, xlabel=horizontal, ylabel=vertical)
    return made, axes


def _heat_map(values: Any, title: str, low: float) -> Figure:
    made, axes = _axes(title, "client", "client")
    image = axes.imshow(np.array(values, dtype=float), vmin=low, vmax=1, cmap="RdBu_r")
    made.colorbar(image, ax=axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return made


def _alignment(content: Mapping[str, Any]) -> Figure:
    return _heat_map(content["cosine"], "cosine between clients' updates", -1.0)


def _clients(content: Mapping[str, Any]) -> Figure:
    return _heat_map(content["absolute_cosine"], "|cosine| of clients' top eigenvectors", 0.0)


def _landscape(content: Mapping[str, Any]) -> Figure:
    ends = (content["first"], content["second"])
    made, axes = _axes("loss between two models", f"0: {ends[0]}   1: {ends[1]}", "loss (nats)")
    for colour, split in zip(_COLOURS, content["splits"], strict=False):
        one = content["splits"][split]
        label = f"{split}, barrier {one['barrier']:.3g}"
        axes.plot(one["shares"], one["loss"], marker="o", color=colour, label=label)
    axes.legend()
    return made


def _density(content: Mapping[str, Any]) -> Figure | None:
    if "density" not in content:
        return None
    nodes = [np.array(one) for one in content["density"]["nodes"]]
    weights = [np.array(one) for one in content["density"]["weights"]]
    low, high = min(n.min() for n in nodes), max(n.max() for n in nodes)
    width = max(high - low, 1e-12) / 100
    grid = np.linspace(low - 5 * width, high + 5 * width, 1000)
    density = SpectralDensity(tuple(nodes), tuple(weights), 0, 0).on_grid(grid, width)
    made, axes = _axes(f"spectral density, {content['operator']}", "eigenvalue", "density")
    axes.semilogy(grid, np.maximum(density, 1e-8 / width), color=_COLOURS[0])
    return made


def _misalignment(content: Mapping[str, Any]) -> Figure:
    made, axes = _axes("misaligned filters (surrogate)", "round", "share of (filter, class)")
    definitions: Mapping[str, Any] = content["definitions"]
    for colour, name in zip(_COLOURS, definitions, strict=False):
        totals: Sequence[float] = definitions[name]["total"]
        axes.plot(content["rounds"], totals, marker="o", color=colour, label=name)
    axes.legend()
    return made


_DRAWINGS: dict[str, Any] = {
    "alignment": _alignment,
    "clients": _clients,
    "landscape": _landscape,
    "eigenvalues": _density,
    "gauss_newton": _density,
    "fisher": _density,
    "misalignment": _misalignment,
}
