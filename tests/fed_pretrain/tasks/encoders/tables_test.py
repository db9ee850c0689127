"""Columns of a table as rows: the numbers and categories that NumPy would give."""

import numpy as np
import pytest

from data_prep.store.features import FeatureSpec
from fed_pretrain.tasks import known_tasks
from groundwork.errors import UserError
from tests.fed_pretrain.tasks import miniature

AGES = np.array([[20, 30, 40], [50, 60, 80]])
JOBS = [["cook", "nurse", "cook"], ["pilot", "cook", ""]]
HEIGHTS = [["1.5", "", "1.7"], ["1.6", "1.8", "1.9"]]
COLUMNS = (FeatureSpec("age", "int64"), FeatureSpec("job", "text"), FeatureSpec("tall", "text"))


def table(tmp_path, label, labels, label_names=None):
    clients = {
        f"client_{number}": [
            {"age": int(age), "job": job, "tall": tall, "label": value}
            for age, job, tall, value in zip(
                AGES[number], JOBS[number], HEIGHTS[number], row, strict=True
            )
        ]
        for number, row in enumerate(labels)
    }
    splits = {"train": clients, "test": clients}
    return miniature.write(tmp_path / "table", (*COLUMNS, label), splits, label_names)


def test_numbers_stay_blanks_become_the_mean_and_categories_are_a_one_among_zeros(tmp_path):
    labels = [[0, 1, 1], [0, 0, 1]]
    task = known_tasks.load("tabular", table(tmp_path, FeatureSpec("label", "int64"), labels))
    x, y = task.reader("train").rows("client_0")
    mean = np.mean([1.5, 1.7, 1.6, 1.8, 1.9])
    # "", cook, nurse, pilot, and a place for others
    jobs = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]
    expected = [
        [age, *job, tall] for age, job, tall in zip(AGES[0], jobs, [1.5, mean, 1.7], strict=True)
    ]
    np.testing.assert_allclose(x, np.array(expected, np.float32), rtol=1e-6)
    assert y.tolist() == labels[0]
    assert task.num_classes == 2


def test_a_model_sees_columns_of_one_size_and_answers_in_the_units_of_the_table(tmp_path):
    prices = np.array([[100.0, 900.0, 500.0], [300.0, 700.0, 800.0]], np.float32)
    task = known_tasks.load("regression", table(tmp_path, FeatureSpec("label", "float32"), prices))
    x, y = task.reader("train").rows("client_1")
    model = task.build_model()
    seen = model.get_layer("scale")(x).numpy()[:, 0]
    np.testing.assert_allclose(seen, (AGES[1] - AGES.mean()) / AGES.std(), rtol=1e-5)
    for weights in (model.get_layer("head").kernel, model.get_layer("head").bias):
        weights.assign(np.zeros(weights.shape, np.float32))
    np.testing.assert_allclose(model(x), np.full((3, 1), prices.mean()), rtol=1e-6)
    sums = {name: float(value) for name, value in task.statistics(y, model(x)).items()}
    errors = (prices[1] - prices.mean()) / prices.std()
    assert sums["loss_sum"] == pytest.approx(float((errors**2).sum()), rel=1e-5)
    assert task.summarise(sums)["accuracy"] == pytest.approx(0.0, abs=1e-5)


def test_the_wrong_task_for_a_label_names_the_right_one(tmp_path):
    measured = table(tmp_path / "a", FeatureSpec("label", "float32"), [[0.5] * 3] * 2)
    with pytest.raises(UserError, match="not classes: --task=regression"):
        known_tasks.load("tabular", measured)
    named = table(tmp_path / "b", FeatureSpec("label", "int64"), [[0, 1, 1]] * 2, ("no", "yes"))
    with pytest.raises(UserError, match="not a number: --task=tabular"):
        known_tasks.load("regression", named)
    images = miniature.write(
        tmp_path / "c",
        miniature.images(4, 4, 1),
        {"train": miniature.photographs((4, 4, 1), 2, [3])},
    )
    with pytest.raises(UserError, match=r"column 'image' is image of shape .* leave it out"):
        known_tasks.load("tabular", images)
    texts = miniature.write(tmp_path / "d", miniature.TEXT, {"train": miniature.texts(["a b"])})
    with pytest.raises(UserError, match="--source_options=label=COLUMN"):
        known_tasks.load("tabular", texts)


def test_labels_that_are_no_classes_are_refused_before_a_model_is_built(tmp_path):
    labels = [[0, 1, 250_000], [0, 0, 1]]
    with pytest.raises(UserError, match=r"the label 250,000.*--task=regression predicts numbers"):
        known_tasks.load("tabular", table(tmp_path, FeatureSpec("label", "int64"), labels))
