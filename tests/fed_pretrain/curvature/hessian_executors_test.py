"""The curvature is the same whatever runs the clients' sums."""

import numpy as np
import pytest

from fed_pretrain.curvature import lanczos, loss_operators
from fed_pretrain.curvature.loss_operators import CurvatureOperator, curvature_computation
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.probes import client_curvature
from tests.fed_pretrain.probes import small

BOUND = 1e-5


@pytest.fixture(scope="module")
def device():
    with create(ExecutorOptions(clients_in_flight=2)) as made:
        yield made


@pytest.fixture(scope="module", params=["native", "beam"])
def other(request):
    options = ExecutorOptions(executor=request.param, round_timeout=900, start_timeout=600)
    with create(options) as made:
        yield made


def test_the_top_eigenvalue_agrees_with_the_device(device, other):
    found = [top_of_softmax_regression(executor) for executor in (device, other)]
    expected, pair = found
    assert pair.value == pytest.approx(expected.value, rel=BOUND)
    assert abs(pair.vector @ expected.vector) == pytest.approx(1.0, abs=BOUND)


def top_of_softmax_regression(executor):
    operator = small.operator(executor, small.softmax_regression, *small.digits())
    return lanczos.eigenpairs(operator, max_iterations=4).pairs[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", loss_operators.BY_KIND)
def test_a_convolutions_block_agrees_with_the_device(device, other, kind):
    x, y = small.digits()
    build, positions = small.conv_and_group_norm, (0, 1)
    expected, value = (
        lanczos.eigenpairs(small.operator(executor, build, x, y, kind, positions=positions))
        .pairs[0]
        .value
        for executor in (device, other)
    )
    assert value == pytest.approx(expected, rel=BOUND)


@pytest.mark.slow
def test_the_clients_own_eigenvalues_and_angles_agree_with_the_device(device, other):
    expected, found = (curvature_by_client(executor) for executor in (device, other))
    pairs = zip(found["clients"], expected["clients"], strict=True)
    for row, wanted in pairs:
        assert row["eigenvalue"] == pytest.approx(wanted["eigenvalue"], rel=BOUND)
    np.testing.assert_allclose(found["absolute_cosine"], expected["absolute_cosine"], atol=BOUND)


def curvature_by_client(executor):
    x, y = small.digits()
    build = small.softmax_regression
    weights = small.weights_of(build)
    positions = range(len(weights.trainable))
    computation = curvature_computation(small.task_of(build, x, y), build, positions)
    inputs = {client.client_id: client for client in small.clients(x, y)}

    def operator_of(client_id):
        return CurvatureOperator(executor, computation, weights, [inputs[client_id]], positions)

    return client_curvature.by_client(
        operator_of, list(inputs), seed=0, iterations=8, tolerance=1e-2
    )
