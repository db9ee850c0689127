"""Along a direction, softmax regression has a loss and a slope in closed form."""

import numpy as np
import pytest

from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.probes import eigenvector
from tests.fed_pretrain.probes import small

DISTANCES = [-0.7, -0.2, 0.0, 0.3, 1.1]


@pytest.fixture(scope="module")
def executor():
    with create(ExecutorOptions(clients_in_flight=1)) as made:
        yield made


def by_hand(x, y, vector, distance):
    """Mean loss, its derivative along `vector`, and accuracy, of softmax regression."""
    pairs = zip(small.weights_of(small.softmax_regression).trainable, vector, strict=True)
    kernel, bias = (w.astype(np.float64) + distance * v for w, v in pairs)
    pooled = x.reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(len(x), 4).astype(np.float64)
    logits = pooled @ kernel + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    error = (p - np.eye(10)[y]) / len(x)
    slope = np.sum((pooled.T @ error) * vector[0]) + np.sum(error.sum(axis=0) * vector[1])
    right = np.mean(np.argmax(logits, axis=1) == y)
    return {"loss": -np.mean(np.log(p[np.arange(len(y)), y])), "slope": slope, "accuracy": right}


def looked_at(executor, vector, distances):
    x, y = small.digits()
    task = small.task_of(small.softmax_regression, x, y)
    computation = eigenvector.loss_and_slope(task, small.softmax_regression)
    weights = small.weights_of(small.softmax_regression)
    clients = small.clients(x, y)
    return eigenvector.along(executor, computation, weights, vector, clients, distances)


def test_loss_slope_and_accuracy_are_those_of_the_closed_form(executor):
    generator = np.random.default_rng(1)
    vector = [generator.standard_normal(shape) / 4 for shape in ((4, 10), (10,))]
    found = looked_at(executor, [part.astype(np.float32) for part in vector], DISTANCES)
    x, y = small.digits()
    for name in ("loss", "slope", "accuracy"):
        expected = [by_hand(x, y, vector, distance)[name] for distance in DISTANCES]
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-6)
    assert found["distances"] == DISTANCES


def test_the_parabola_of_slope_and_eigenvalue_touches_the_loss_of_softmax_regression(executor):
    x, y = small.digits()
    values, vectors = np.linalg.eigh(small.autograd_hessian(small.softmax_regression, x, y))
    top = vectors[:, -1].astype(np.float32)
    split = [top[:40].reshape(4, 10), top[40:]]
    near, far = (
        eigenvector.beside_quadratic(looked_at(executor, split, grid), values[-1])
        for grid in (np.linspace(-0.1, 0.1, 9).tolist(), np.linspace(-40, 40, 9).tolist())
    )
    assert near["departure_of_inner_half"] < near["departure"] < 0.05
    assert far["departure"] > 0.3


def test_a_parabola_never_leaves_itself_and_a_cubic_leaves_it_by_its_cube():
    distances = np.linspace(-2.0, 2.0, 9)
    parabola = 3.0 + 0.5 * distances + 4.0 * distances**2 / 2
    content = {"distances": distances.tolist(), "slope": [0.5] * 9}
    same = eigenvector.beside_quadratic({**content, "loss": parabola.tolist()}, 4.0)
    np.testing.assert_allclose(same["quadratic"], parabola)
    assert same["departure"] == pytest.approx(0.0, abs=1e-12)
    assert same["slope_at_weights"] == 0.5
    cubic = {**content, "loss": (parabola + 0.1 * distances**3).tolist()}
    found = eigenvector.beside_quadratic(cubic, 4.0)
    assert found["departure"] == pytest.approx(0.1 * 8 / (4.0 * 4 / 2))
    assert found["departure_of_inner_half"] == pytest.approx(0.1 / (4.0 / 2))


def test_the_reach_is_where_the_eigenvalue_alone_doubles_the_loss():
    for loss, curvature in ((2.3, 50.0), (0.01, 7.0), (1.0, -3.0)):
        reach = eigenvector.reach(loss, curvature)
        assert abs(curvature) * reach**2 / 2 == pytest.approx(loss)
    assert eigenvector.reach(0.0, 1.0) > 0
