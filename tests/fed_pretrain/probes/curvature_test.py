"""Every figure that eigenvalues.json can hold, of a matrix whose spectrum is known."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.curvature.sample import Sample
from fed_pretrain.probes import curvature
from fed_pretrain.probes.client_curvature import ClientCurvature
from fed_pretrain.probes.eigenvector import Eigenvector
from groundwork.errors import UserError

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


@pytest.mark.parametrize("probe", [curvature.Hessian, ClientCurvature, Eigenvector])
def test_a_model_without_curvature_is_refused_before_anything_is_measured(probe):
    image = tf.keras.Input([2, 2, 1])
    model = tf.keras.Model(image, tf.keras.layers.BatchNormalization(name="norm")(image))
    subject = SimpleNamespace(
        task=None,
        names=["norm/gamma", "norm/beta"],
        build_model=lambda: model,
        cached=lambda name, make: make(),
        option=lambda kind: kind(),
        folder=Path("nowhere"),
    )
    with pytest.raises(UserError, match="'norm' is a BatchNorm that trains on batch statistics"):
        probe(subject)
