"""Every figure that eigenvalues.json can hold, of a matrix whose spectrum is known."""

import numpy as np
import pytest

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.curvature.sample import Sample
from fed_pretrain.probes import curvature

EIGENVALUES = np.linspace(-3.0, 5.0, 12)
DRAWN = Sample((), 40, 0)


class Diagonal:
    size = len(EIGENVALUES)
    scored = 40.0
    loss = 0.5

    def matvec(self, vector):
        return EIGENVALUES * vector


def test_every_figure_agrees_with_the_known_spectrum():
    config = CurvatureConfig(
        smallest=True,
        power_iteration=True,
        trace_samples=2,
        density_vectors=1,
        iterations=300,
        tolerance=1e-6,
    )
    found = curvature.of_blocks(lambda block: Diagonal(), ["dense/kernel"], DRAWN, config, 0)
    assert found["top"]["eigenvalues"] == pytest.approx([5.0])
    assert found["bottom"]["eigenvalues"] == pytest.approx([-3.0])
    assert found["power_iteration"]["eigenvalue"] == pytest.approx(5.0)
    assert found["power_iteration"]["converged"]
    # Of a diagonal matrix each of Hutchinson's samples is the trace itself.
    assert found["trace"]["trace"] == pytest.approx(EIGENVALUES.sum())
    assert sorted(found["density"]["nodes"][0]) == pytest.approx(EIGENVALUES)
