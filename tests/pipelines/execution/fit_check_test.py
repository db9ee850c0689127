"""Parts of a plan that are right by themselves and do not fit each other, with their place."""

import pytest

from groundwork.errors import UserError
from pipelines.execution import fit_check
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand
from tests.fed_pretrain.tasks import miniature

TEXT = """\
name: toy
title: A toy
question: Does it fit?
settings: {clients_per_round: 5}
tasks:
  digits:
    task: digits
    dataset: {source: digits}
    settings: {model: edge_cnn}
    pretrain:
      proxy:
        task: mnist5k
        dataset: {source: mnist5k, partition: iid, num_clients: 9}
        model: edge_cnn
    starts:
      random: {start: random}
      warm: {start: "pretrained:proxy"}
algorithms:
  fedavg: {algorithm: fedavg}
"""


def said_of(tmp_path, right, wrong):
    assert right in TEXT
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT.replace(right, wrong))
    document = plans.read(str(path))
    steps = expand(plans.build(document))
    try:
        fit_check.check(steps, steps, document)
    except UserError as error:
        return str(error).removeprefix(f"{path}, ")
    return ""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "task: digits\n    dataset: {source: digits}",
            "task: digits\n    dataset: {source: chitchat}",
            "line 7: tasks.digits: the dataset does not fit --task=digits: it has no field 'image'",
        ),
        (
            "task: digits\n    dataset: {source: digits}",
            "task: digits\n    dataset: {source: mnist5k, partition: iid, num_clients: 9}",
            "line 7: tasks.digits: the dataset does not fit --task=digits: field 'image' is image "
            "[28, 28, 1] in the dataset, the task expects image [8, 8, 1]",
        ),
        (
            "dataset: {source: digits}",
            "dataset: {path: /nowhere}",
            "line 8: tasks.digits.dataset.path: --dataset=/nowhere: /nowhere does not exist",
        ),
        (
            "{clients_per_round: 5}",
            "{clients_per_round: 15}",
            "line 4: settings: --clients_per_round=15: the dataset has only 14 training clients",
        ),
        (
            "dataset: {source: digits}",
            "dataset: {source: digits, partition: iid, num_clients: 4}",
            "line 4: settings: --clients_per_round=5: the dataset has only 4 training clients",
        ),
        (
            'warm: {start: "pretrained:proxy"}',
            "warm: {start: 'package:ndf'}",
            "line 17: tasks.digits.starts.warm: --start=package:ndf holds the weights of "
            "squeezenet1_1, the run trains edge_cnn",
        ),
        (
            'warm: {start: "pretrained:proxy"}',
            "warm: {start: 'keras:MobileNetV2'}",
            "line 17: tasks.digits.starts.warm: --start=keras:MobileNetV2 holds the weights of "
            "keras:MobileNetV2, the run trains edge_cnn",
        ),
        (
            "        model: edge_cnn",
            "        model: small_cnn",
            "line 17: tasks.digits.starts.warm: --start: pretrain/digits/proxy pre-trains "
            "small_cnn, the run trains edge_cnn",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, right, wrong, said):
    assert said_of(tmp_path, right, wrong).startswith(said)


def test_what_fits_or_is_not_known_yet_is_taken(tmp_path):
    assert said_of(tmp_path, "name: toy", "name: toy") == ""
    for other in ("csv, input: nowhere.csv", "cifar10, input: nowhere.gz", "'tfds:mnist'"):
        dataset = f"dataset: {{source: {other}}}"
        assert said_of(tmp_path, "dataset: {source: digits}", dataset) == ""
    assert said_of(tmp_path, "{clients_per_round: 5}", "{clients_per_round: 14}") == ""
    partly = "warm: {start: 'package:ndf', allow_partial_start: true}"
    assert said_of(tmp_path, 'warm: {start: "pretrained:proxy"}', partly) == ""


def test_a_folder_of_fewer_clients_is_refused(tmp_path):
    clients = miniature.photographs((8, 8, 1), 10, (3, 3, 3))
    folder = miniature.write(tmp_path / "mine", miniature.images(8, 8, 1), {"train": clients}).path
    said = said_of(tmp_path, "dataset: {source: digits}", f"dataset: {{path: '{folder}'}}")
    assert "--clients_per_round=5: the dataset has only 3 training clients" in said


def test_grey_pre_training_for_photographs_in_colour_is_refused(tmp_path):
    clients = miniature.photographs((32, 32, 3), 10, (3,) * 5)
    folder = miniature.write(
        tmp_path / "mine", miniature.images(32, 32, 3), {"train": clients}
    ).path
    change = f"task: cifar10\n    dataset: {{path: '{folder}'}}"
    right = "task: digits\n    dataset: {source: digits}"
    said = said_of(tmp_path, right, change)
    assert said.startswith(
        "line 17: tasks.digits.starts.warm: --start: pretrain/digits/proxy pre-trains on images of"
        " 1 channels, the run reads 3"
    )
