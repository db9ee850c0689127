"""Clients by themselves: exact sums, and the spread over clients."""

import math
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.evaluation import ClientEvaluation, spread
from tests.fed_pretrain.tasks import miniature

SIZES = (5, 1, 9, 3)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    clients = miniature.photographs((8, 8, 1), 10, SIZES)
    dataset = miniature.write(
        tmp_path_factory.mktemp("digits"), miniature.images(8, 8, 1), {"test": clients}
    )
    return known_tasks.load("digits", dataset)


@pytest.mark.parametrize("fixed_shapes", [True, False])
def test_each_clients_sums_are_exact_and_the_pooled_figures_are_their_ratio(task, fixed_shapes):
    evaluation = ClientEvaluation(task, batch_size=4, fixed_shapes=fixed_shapes)
    model = task.build_model()
    weights = tff.learning.models.ModelWeights.from_model(model)
    numpy_weights = tf.nest.map_structure(lambda v: v.numpy(), weights)
    clients = [f"client_{number}" for number in range(len(SIZES))]
    inputs = [ClientInput(name, read) for name, read in evaluation.reads(clients)]
    with creation.create(ExecutorOptions()) as executor:
        results = list(executor.map_clients(evaluation.computation, numpy_weights, inputs))
    alone = []
    for client_id, sums in zip(clients, results, strict=True):
        x, y = task.reader("test").rows(client_id)
        expected = task.statistics(tf.constant(y), model(x, training=False))
        assert set(sums) == set(expected)
        for name, value in expected.items():
            assert float(sums[name]) == pytest.approx(float(value), rel=1e-5)
        alone.append(task.summarise(expected))
    figures = evaluation.figures(results)
    assert figures["accuracy_mean"] == pytest.approx(np.mean([f["accuracy"] for f in alone]))
    weighted = np.average([f["loss"] for f in alone], weights=SIZES)
    assert figures["loss"] == pytest.approx(weighted, rel=1e-5)
    assert figures["accuracy_worst_decile"] == min(f["accuracy"] for f in alone)
    assert figures["loss_worst_decile"] == pytest.approx(max(f["loss"] for f in alone), rel=1e-5)


def test_no_clients_give_no_figures(task):
    evaluation = types.SimpleNamespace(_task=task)
    assert ClientEvaluation.figures(evaluation, []) == {}


def test_the_worst_decile_is_the_mean_of_the_worst_tenth_of_the_clients():
    values = [float(value) for value in np.random.default_rng(0).permutation(40)]
    accuracies = spread(values, worst_is_low=True)
    assert accuracies["worst_decile"] == np.mean([0, 1, 2, 3])
    assert spread(values, worst_is_low=False)["worst_decile"] == np.mean([36, 37, 38, 39])
    assert accuracies["mean"] == 19.5
    assert accuracies["p50"] == np.median(values)
    assert accuracies["std"] == pytest.approx(np.std(values))


@pytest.mark.parametrize(("clients", "worst"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_the_worst_tenth_is_rounded_up_to_whole_clients(clients, worst):
    values = [float(value) for value in range(clients)]
    assert spread(values, worst_is_low=True)["worst_decile"] == np.mean(values[:worst])


def test_clients_without_a_figure_are_counted_and_left_out():
    figures = spread([0.5, math.nan, 1.0], worst_is_low=True)
    assert (figures["mean"], figures["missing"]) == (0.75, 1)
    nothing = spread([math.nan], worst_is_low=True)
    assert math.isnan(nothing["worst_decile"])
    assert nothing["missing"] == 1
    assert nothing.keys() == figures.keys()
