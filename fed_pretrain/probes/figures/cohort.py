"""A cohort's clients beside each other: their updates, and their sharpest directions."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from fed_pretrain.probes.figures import canvas


def updates(content: Mapping[str, Any]) -> Figure:
    """alignment.json"""
    return canvas.heat_map(content["cosine"], "cosine between clients' updates", -1.0)


def eigenvectors(content: Mapping[str, Any]) -> Figure:
    """clients.json"""
    title = "|cosine| of clients' top eigenvectors"
    return canvas.heat_map(content["absolute_cosine"], title, 0.0)
