"""The spectral density of a curvature, and the top eigenvalue of each layer's block."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.curvature.spectrum import SpectralDensity
from fed_pretrain.probes.figures import canvas


def spectrum(content: Mapping[str, Any]) -> Figure | None:
    """eigenvalues.json, gauss_newton.json, fisher.json; None when neither part was asked for."""
    drawn = [draw for part, draw in (("density", _density), ("layers", _layers)) if part in content]
    if not drawn:
        return None
    made, plots = canvas.panels(1, len(drawn))
    for draw, plot in zip(drawn, plots[0], strict=True):
        draw(content, plot)
    return made


def _density(content: Mapping[str, Any], plot: Any) -> None:
    nodes = [np.array(one) for one in content["density"]["nodes"]]
    weights = [np.array(one) for one in content["density"]["weights"]]
    low, high = min(n.min() for n in nodes), max(n.max() for n in nodes)
    width = max(high - low, 1e-12) / 100
    grid = np.linspace(low - 5 * width, high + 5 * width, 1000)
    values = SpectralDensity(tuple(nodes), tuple(weights), 0, 0).on_grid(grid, width)
    plot.semilogy(grid, np.maximum(values, 1e-8 / width), color=canvas.COLOURS[0])
    title = f"spectral density, {content['operator']}"
    plot.set(title=title, xlabel="eigenvalue", ylabel="density")


def _layers(content: Mapping[str, Any], plot: Any) -> None:
    """Hollow bars did not converge; the line is the whole model's."""
    layers = content["layers"]
    tops = canvas.numbers([layer["eigenvalues"][0] for layer in layers])
    bars = plot.barh([layer["layer"] for layer in layers], tops, color=canvas.COLOURS[0])
    for bar, layer in zip(bars, layers, strict=True):
        bar.set(fill=layer["converged"], edgecolor=canvas.COLOURS[0])
    plot.axvline(content["top"]["eigenvalues"][0], color=canvas.COLOURS[1], label="whole model")
    plot.invert_yaxis()
    plot.legend()
    plot.set(title=f"blocks of the {content['operator']}", xlabel="top eigenvalue", ylabel="layer")
