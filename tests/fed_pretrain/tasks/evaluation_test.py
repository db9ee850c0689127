"""Pooled evaluation against one forward pass over everything."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.tasks import evaluation, known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.evaluation import GlobalEvaluation, batches
from tests.fed_pretrain.tasks import miniature

SIZES = (5, 1, 9, 3, 14)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    clients = miniature.photographs((8, 8, 1), 10, SIZES)
    dataset = miniature.write(
        tmp_path_factory.mktemp("digits"), miniature.images(8, 8, 1), {"test": clients}
    )
    return known_tasks.load("digits", dataset)


@pytest.fixture(scope="module")
def model(task):
    return task.build_model()


def weights_of(model):
    return types.SimpleNamespace(
        trainable=[variable.numpy() for variable in model.trainable_variables],
        non_trainable=[variable.numpy() for variable in model.non_trainable_variables],
    )


def at_once(task, model, rows):
    x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
    sums = task.statistics(tf.constant(y), model(x, training=False))
    return task.summarise(sums)


def all_rows(task):
    reader = task.reader("test")
    return [reader.rows(client_id) for client_id in reader.client_ids]


@pytest.mark.parametrize("batch_size", [1, 7, 32, 100])
def test_figures_do_not_depend_on_the_batch_size(task, model, batch_size):
    evaluate = GlobalEvaluation(task, batch_size=batch_size)
    figures = evaluate(weights_of(model))
    expected = at_once(task, model, all_rows(task))
    assert figures.keys() == expected.keys()
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=1e-5)


def test_other_weights_give_other_figures_and_the_same_ones_the_same(task, model):
    evaluate = GlobalEvaluation(task, batch_size=16)
    first = evaluate(weights_of(model))
    changed = weights_of(model)
    changed.trainable[-1] = changed.trainable[-1] + np.arange(10, dtype=np.float32)
    assert evaluate(changed)["loss"] != first["loss"]
    assert evaluate(weights_of(model)) == first


def test_the_rows_of_named_clients_are_pooled(task, model):
    evaluate = GlobalEvaluation(task, batch_size=4)
    reader = task.reader("test")
    named = ["client_4", "client_1"]
    expected = at_once(task, model, [reader.rows(client_id) for client_id in named])
    figures = evaluate(weights_of(model), client_ids=named)
    assert figures["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_named_clients_can_be_bounded_each(task, model):
    evaluate = GlobalEvaluation(task, batch_size=4)
    reader = task.reader("test")
    expected = at_once(task, model, [reader.rows(name, 2) for name in ("client_4", "client_1")])
    figures = evaluate(weights_of(model), ["client_4", "client_1"], client_examples=2)
    assert figures["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_limited_evaluation_takes_that_many_examples_and_always_the_same(task, model):
    counts = []
    for _ in range(2):
        evaluate = GlobalEvaluation(task, batch_size=4, max_examples=11, seed=3)
        assert sum(len(x) for x, _ in evaluate._rows()) == 11
        counts.append(evaluate(weights_of(model))["loss"])
    assert counts[0] == counts[1]
    whole = GlobalEvaluation(task, batch_size=4, max_examples=sum(SIZES))
    assert sum(len(x) for x, _ in whole._rows()) == sum(SIZES)


def test_a_split_too_large_to_hold_is_read_again_with_the_same_result(task, model, monkeypatch):
    held = GlobalEvaluation(task, batch_size=4)(weights_of(model))
    monkeypatch.setattr(evaluation, "HELD_BYTES", 0)
    evaluate = GlobalEvaluation(task, batch_size=4)
    assert evaluate(weights_of(model)) == held
    assert evaluate._held is None
    assert evaluate(weights_of(model)) == held


def test_batches_hold_every_row_once_in_order_and_are_all_of_one_size():
    rows = [
        (np.arange(a, b), np.arange(a, b, dtype=np.int32)) for a, b in ((0, 5), (5, 5), (5, 17))
    ]
    cut = list(batches(iter(rows), 4))
    assert [len(x) for x, _ in cut] == [4] * 5
    y = np.concatenate([y for _, y in cut])
    assert y.tolist() == [*range(17), -1, -1, -1]


def test_a_model_built_in_another_graph_meanwhile_changes_nothing(task, model):
    evaluate = GlobalEvaluation(task, batch_size=16)
    with tf.Graph().as_default():
        task.build_model()
    assert evaluate(weights_of(model)) == GlobalEvaluation(task, batch_size=16)(weights_of(model))


def test_weights_of_another_structure_are_refused(task, model):
    weights = weights_of(model)
    weights.trainable.pop()
    with pytest.raises(ValueError, match="shorter"):
        GlobalEvaluation(task)(weights)


def test_text_is_scored_without_oov_and_the_ends_of_a_sentence(tmp_path):
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("a\nb\n")
    dataset = miniature.write(
        tmp_path / "data", miniature.TEXT, {"test": miniature.texts(("a b zebra", "b"))}
    )
    task = known_tasks.load(
        "stackoverflow", dataset, options=TaskOptions(vocabulary=str(vocabulary))
    )
    model = task.build_model()
    weights = weights_of(model)
    *_, bias = weights.trainable
    bias[:] = 0
    bias[2] = 100.0  # Whatever comes, the model says "b".
    figures = GlobalEvaluation(task)(weights)
    # Targets: a b oov eos; b eos. Of a, b, b the model hits two.
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]))


def test_chance_is_the_share_of_the_commonest_label(task, model):
    evaluation = GlobalEvaluation(task, lambda: model)
    y = np.concatenate([rows[1] for rows in all_rows(task)])
    counts = np.unique(y, return_counts=True)[1]
    expected = {
        "labels": sum(SIZES),
        "commonest_share": counts.max() / sum(SIZES),
        "examples": sum(SIZES),
    }
    assert evaluation.labels() == expected
    evaluation(weights_of(model))
    assert evaluation.labels() == expected
