"""Sums of a few examples against NumPy, and how far one example can move them."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.experiment.assembly.one_pass_head import norm_of_a_client
from fed_pretrain.tasks import feature_sums
from fed_pretrain.tasks.client_sums import Batch
from fed_pretrain.tasks.feature_sums import SECOND_MOMENTS
from tests.fed_pretrain.probes import small

CLASSES, WIDTH = 3, 4
LABELS = np.asarray([0, 2, 2, 0, 2])


@pytest.mark.parametrize("name", SECOND_MOMENTS)
def test_second_moments_are_those_of_the_examples_of_each_class(name) -> None:
    moment, x = SECOND_MOMENTS[name], np.random.default_rng(0).normal(size=(5, WIDTH))
    found = np.asarray(moment.of(tf.constant(np.eye(CLASSES)[LABELS]), tf.constant(x)))
    own = [x[label == LABELS] for label in range(CLASSES)]
    oracle = {
        "whole": x.T @ x,
        "by class": np.stack([rows.T @ rows for rows in own]),
        "diagonal": np.stack([(rows**2).sum(0) for rows in own]),
        "spherical": np.stack([(rows**2).sum() for rows in own]),
    }[name]
    np.testing.assert_allclose(found, oracle)
    assert list(found.shape) == moment.shape(CLASSES, WIDTH)
    triangle = WIDTH * (WIDTH + 1) // 2
    numbers = {
        "whole": triangle,
        "by class": CLASSES * triangle,
        "diagonal": CLASSES * WIDTH,
        "spherical": CLASSES,
    }
    assert moment.numbers(CLASSES, WIDTH) == numbers[name]


@pytest.mark.parametrize("name", [None, *SECOND_MOMENTS])
def test_no_example_of_length_one_moves_a_clients_sums_by_more_than_the_norm_and_some_do(
    name,
) -> None:
    generator, hot = np.random.default_rng(1), np.eye(CLASSES)[[1]]
    moved = []
    for x in (np.eye(WIDTH)[[2]], *generator.normal(size=(20, 1, WIDTH))):
        unit = x / np.linalg.norm(x)
        sums = [hot, hot.T @ unit]
        if name is not None:
            sums.append(np.asarray(SECOND_MOMENTS[name].of(tf.constant(hot), tf.constant(unit))))
        moved.append(np.sqrt(sum((part**2).sum() for part in sums)))
    assert max(moved) == pytest.approx(norm_of_a_client(1.0, name))
    assert norm_of_a_client(8.0, name) == 8.0 * norm_of_a_client(1.0, name)


def voted(losses, squares, count) -> tuple[list[float], list[float]]:
    sums = collections.OrderedDict(
        losses=tf.constant(losses, tf.float64),
        squares=tf.constant(squares, tf.float64),
        count=tf.constant(count, tf.float64),
    )
    found = feature_sums.votes(sums, [0.1, 1.0, 10.0], [1.0, 10.0, 100.0])
    return np.asarray(found["scale"]).tolist(), np.asarray(found["length"]).tolist()


def test_a_client_votes_for_its_least_loss_and_for_the_nearest_of_its_mean_squared_length() -> None:
    # 180 / 4 is nearer to 100 than to 10 on a logarithmic scale.
    assert voted([5.0, 2.0, 3.0], 180.0, 4.0) == ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert voted([5.0, 2.0, 3.0], 180.0, 10.0)[1] == [0.0, 1.0, 0.0]
    assert voted([0.0, 0.0, 0.0], 0.0, 0.0) == ([0.0] * 3, [0.0] * 3)


def test_features_and_logits_are_of_one_pass_through_the_body() -> None:
    model = small.conv_and_group_norm()
    batch = Batch(None, model, [], [], tf.zeros([2, 8, 8, 1]), None)
    graph = tf.function(lambda: feature_sums.features_and_logits(batch, model.layers[-1].name))
    kinds = [op.type for op in graph.get_concrete_function().graph.get_operations()]
    assert kinds.count("Conv2D") == 1
