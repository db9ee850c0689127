"""The curvature of a part of the weights is that block of the whole Hessian."""

import numpy as np
import pytest

from fed_pretrain.curvature import curvature_config, lanczos
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork.errors import UserError
from tests.fed_pretrain.probes import small

NAMES = ["conv1/kernel", "conv1/bias", "attention/query/kernel", "head/kernel", "head/bias"]


@pytest.fixture(scope="module")
def executor():
    with create(ExecutorOptions(clients_in_flight=1)) as made:
        yield made


def test_every_layer_is_a_block_in_the_models_order():
    found = {block.name: block.positions for block in curvature_config.of_each_layer(NAMES)}
    assert found == {"conv1": (0, 1), "attention/query": (2,), "head": (3, 4)}


def test_a_regular_expression_chooses_tensors_wherever_they_are():
    assert curvature_config.chosen(NAMES, "kernel$").tensors == (NAMES[0], NAMES[2], NAMES[3])
    assert curvature_config.chosen(NAMES, "^head/").positions == (3, 4)


@pytest.mark.parametrize("layers", ["", "each"])
def test_without_a_choice_the_block_is_the_whole_model(layers):
    assert curvature_config.chosen(NAMES, layers).positions == (0, 1, 2, 3, 4)


def test_a_choice_of_nothing_is_told_with_the_names_there_are():
    with pytest.raises(UserError, match=r"--hessian_layers=conv9 matches none of conv1/kernel"):
        curvature_config.chosen(NAMES, "conv9")
    with pytest.raises(UserError, match=r"--hessian_layers=\(: no regular expression"):
        curvature_config.chosen(NAMES, "(")


def block_of(matrix, weights, positions):
    """Rows and columns of the flattened tensors at these positions."""
    ends = np.cumsum([value.size for value in weights])
    rows = np.concatenate([np.arange(ends[p] - weights[p].size, ends[p]) for p in positions])
    return matrix[np.ix_(rows, rows)]


@pytest.mark.parametrize("positions", [(0, 1), (1, 4), (5,)])
def test_products_equal_the_block_of_the_full_autograd_hessian(executor, positions):
    x, y = small.digits()
    build = small.conv_and_group_norm
    found = small.operator(executor, build, x, y, positions=positions)
    whole = small.autograd_hessian(build, x, y)
    expected = block_of(whole, small.weights_of(build).trainable, positions)
    assert found.size == len(expected)
    for vector in np.random.default_rng(5).standard_normal((2, found.size)):
        np.testing.assert_allclose(
            found.matvec(vector), expected @ vector, atol=1e-4 * np.abs(expected).max()
        )
    top = lanczos.eigenpairs(found, tolerance=1e-4).pairs[0].value
    assert top == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-3)


@pytest.mark.parametrize("kind", ["gauss_newton", "fisher"])
def test_the_kernels_block_of_other_operators_is_that_part_of_their_matrix(executor, kind):
    x, y = small.digits()
    build = small.softmax_regression
    whole = small.dense_of(small.operator(executor, build, x, y, kind))
    part = small.dense_of(small.operator(executor, build, x, y, kind, positions=(0,)))
    expected = block_of(whole, small.weights_of(build).trainable, (0,))
    np.testing.assert_allclose(part, expected, atol=1e-6)
