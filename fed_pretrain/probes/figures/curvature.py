"""The spectral density of a curvature."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fed_pretrain.probes.curvature.spectral_density import SpectralDensity
from fed_pretrain.probes.figures import canvas


def density(content: Mapping[str, Any]) -> Figure | None:
    """eigenvalues.json, gauss_newton.json, fisher.json; None when no density was asked for."""
    if "density" not in content:
        return None
    nodes = [np.array(one) for one in content["density"]["nodes"]]
    weights = [np.array(one) for one in content["density"]["weights"]]
    low, high = min(n.min() for n in nodes), max(n.max() for n in nodes)
    width = max(high - low, 1e-12) / 100
    grid = np.linspace(low - 5 * width, high + 5 * width, 1000)
    values = SpectralDensity(tuple(nodes), tuple(weights), 0, 0).on_grid(grid, width)
    title = f"spectral density, {content['operator']}"
    made, plot = canvas.axes(title, "eigenvalue", "density")
    plot.semilogy(grid, np.maximum(values, 1e-8 / width), color=canvas.COLOURS[0])
    return made
