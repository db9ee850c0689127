"""The plans of the papers' sizes, beside their raw data in miniature and in the real formats."""

import bz2
import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from pipelines import study_run
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand
from tests.fed_pretrain.configs import papers_miniature

PLANS = sorted(
    name
    for name in plans.shipped()
    if any("input" in task.dataset for task in plans.load(name).tasks.values())
)


@pytest.fixture(scope="module")
def beside_data(tmp_path_factory):
    """A folder with `data/`, as each plan's heading asks for."""
    data = tmp_path_factory.mktemp("papers") / "data"
    data.mkdir()
    papers_miniature.cifar10(data)
    month = papers_miniature.reddit(data)
    (data / f"{month.name}.bz2").write_bytes(bz2.compress(month.read_bytes()))
    month.unlink()
    digits = [((255 - image) / 255, label) for image, label in papers_miniature.pictures("mnist")]
    pixels = np.stack([image for image, _ in digits]).astype(np.float32)
    labels = np.array([label for _, label in digits], np.int32)
    rows = {f"f{n:04d}_0{n}": {"label": labels[n::10], "pixels": pixels[n::10]} for n in range(10)}
    save = tff.simulation.datasets.save_to_sql_client_data
    save(
        list(rows),
        lambda writer: tf.data.Dataset.from_tensor_slices(rows[writer]),
        str(data / "emnist_all.sqlite"),
        split_names_by_client_id={
            writer: "all_test" if number > 7 else "all_train" for number, writer in enumerate(rows)
        },
    )
    users = tff.simulation.datasets.stackoverflow.get_synthetic()
    save(
        users.client_ids,
        users.create_tf_dataset_for_client,
        str(data / "stackoverflow.sqlite"),
        split_names_by_client_id=dict(
            zip(users.client_ids, ("train", "heldout", "test"), strict=True)
        ),
    )
    return data.parent


def test_all_thirteen_are_here():
    assert len(PLANS) == 13
    assert [name for name in PLANS if name.endswith("_embedded")] == []


# The one with all four data sets is among the fast tests.
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "iid_gap")) for n in PLANS]
)
def test_a_plan_of_a_papers_size_passes_a_dry_run(name, beside_data, monkeypatch, capsys):
    monkeypatch.chdir(beside_data)
    study_run.run(study_run.StudyConfig(name, "study", dry_run=True))
    assert "federated rounds: " in capsys.readouterr().out
    assert not os.path.exists("study")


@pytest.mark.slow
def test_every_dataset_of_these_plans_is_prepared_from_its_miniature(beside_data, monkeypatch):
    monkeypatch.chdir(beside_data)
    done = set()
    for name in PLANS:
        for step in expand(plans.load(name)):
            flags = tuple(sorted(map(str, step.flags.items())))
            if step.kind == "prepare" and flags not in done:
                done.add(flags)
                study_run.run(study_run.StudyConfig(name, f"prepared/{name}", only=(step.step_id,)))
    assert len(done) >= 8
