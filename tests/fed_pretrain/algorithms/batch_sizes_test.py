"""Batches as large as their rows train as batches filled up to one size do."""

import numpy as np
import pytest

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor_options import ExecutorOptions
from tests.fed_pretrain.algorithms import toy


def test_rounds_are_the_same_with_last_batches_padded_and_not(executor):
    """With dropout, whose masks the rows of a shorter batch must share, and with momentum."""
    config = ResolvedAlgorithm(client_learning_rate=0.5, client_momentum=0.5, alignment="none")
    padded, short = (
        toy.Run(toy.build(config, dropout=0.5, fixed_shapes=fixed), executor)
        for fixed in (True, False)
    )
    before, after = padded.two_rounds(), short.two_rounds()
    assert np.abs(toy.flat(before) - toy.flat(toy.start_weights())).max() > 0.1
    np.testing.assert_allclose(toy.flat(after), toy.flat(before), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "fixed"),
    [({}, False), ({"pad_batches": True}, True), ({"pad_batches": False, "jit": True}, True)],
)
def test_what_an_executor_compiles_has_batches_of_one_size(options, fixed):
    with creation.create(ExecutorOptions(**options)) as made:
        assert made.fixed_shapes == fixed
