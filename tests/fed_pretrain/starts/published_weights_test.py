"""Ported weights reach the accuracy their reference gives on the embedded photos and messages."""

import numpy as np
import pytest
from PIL import Image

from fed_pretrain.starts import head
from groundwork.errors import UserError
from tests.fed_pretrain.starts.small_tasks import (
    character_task,
    chat_messages,
    image_task,
    photos,
    resolve,
    values,
)


def _hits(logits: np.ndarray, labels: np.ndarray) -> int:
    return int((logits.argmax(axis=1) == labels).sum())


def test_squeezenet_of_package_ndf_knows_12_of_20_photos() -> None:
    start = resolve(image_task("squeezenet1_1", 227, classes=1000), "package:ndf", head="keep")
    x, y = photos(227, Image.Resampling.BILINEAR)
    assert start.preprocessing == "imagenet_bgr_means"
    assert start.report.counts() == {"matched": 52}
    assert sum(value.size for value in start.weights[0]) == 1_235_496
    assert _hits(start.model()(x, training=False).numpy(), y) == 12


@pytest.mark.parametrize("policy", [pytest.param("keep", marks=pytest.mark.slow), "fold"])
def test_efficientnet_lite0_knows_17_of_20_photos(policy: str) -> None:
    task = image_task("efficientnet_lite0", 224, classes=1000)
    start = resolve(task, "package:efficientnet_lite0", head="keep", batch_norm=policy)
    x, y = photos(224, Image.Resampling.BICUBIC)
    assert start.preprocessing == "lite"
    assert _hits(start.model()(x, training=False).numpy(), y) == 17


@pytest.mark.slow
def test_the_head_of_efficientnet_can_be_cut_to_the_tasks_wordnet_classes() -> None:
    x, y = photos(224, Image.Resampling.BICUBIC)
    wnids = {index: wnid for wnid, index in head.imagenet_classes().items()}
    chosen = sorted(set(y.tolist()))
    task = image_task("efficientnet_lite0", 224, classes=tuple(wnids[c] for c in chosen))
    start = resolve(task, "package:efficientnet_lite0", head="slice", batch_norm="keep")
    logits = start.model()(x, training=False).numpy()
    assert logits.shape == (20, len(chosen))
    # Fewer classes to confuse: at least the 17 of all 1000.
    assert _hits(logits, np.searchsorted(chosen, y)) >= 17


def test_a_class_the_file_does_not_know_cannot_be_cut_out() -> None:
    task = image_task("squeezenet1_1", 64, classes=("n01440764", "n00000000"))
    with pytest.raises(UserError, match=r"1 of the task's 2 classes.*n00000000"):
        resolve(task, "package:ndf", head="slice")


def test_textgenrnn_predicts_chat_at_1_63_nats_and_55_9_percent_without_training() -> None:
    task = character_task()
    start = resolve(task, "package:textgenrnn")
    assert start.report.facts["head"] == "keep"  # its classes are the task's characters
    assert sum(value.size for value in values(start).values()) == 461_693
    x, y = task.encode({"text": chat_messages(150, 60)})
    assert len(x) == 5206
    logits = start.model().predict(x, batch_size=512, verbose=0)
    sums = task.statistics(y, logits)
    assert float(sums["loss_sum"] / sums["count"]) == pytest.approx(1.63, abs=0.005)
    assert _hits(logits, y) / len(y) == pytest.approx(0.559, abs=0.0005)


def test_an_unknown_package_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="is not one of package:ndf, package:efficientnet_lite0"):
        resolve(image_task("edge_cnn"), "package:nothing")


def test_weights_of_another_architecture_are_refused_by_its_name() -> None:
    with pytest.raises(UserError, match=r"no tensor fits model 'edge_cnn'|does not fit model"):
        resolve(image_task("edge_cnn"), "package:efficientnet_lite0")
