"""The card says what the run's files say, and no place on this machine."""

import json
import shutil

import pytest
import scipy.stats

from fed_pretrain.experiment.workdir.metrics import read_rows
from fed_pretrain.exporting import model_card


@pytest.mark.parametrize(("right", "n"), [(0, 7), (5, 5), (37, 120), (4280, 5000)])
def test_the_interval_is_scipys(right, n) -> None:
    expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    assert model_card.wilson(right / n, n) == pytest.approx((expected.low, expected.high))


def test_a_card_has_the_runs_figures_and_identities(digits_run) -> None:
    card = model_card.text(digits_run, "final", "final.keras")
    last = read_rows(digits_run / "metrics.jsonl")[-1]
    config = json.loads((digits_run / "config.json").read_text())
    assert f"| accuracy | {last['eval_accuracy']:.4f} (95 % " in card
    assert config["hash"] in card
    assert config["dataset_fingerprint"] in card
    assert "| differential privacy | none |" in card
    assert str(digits_run.parent) not in card


def test_a_card_names_the_licence_of_packaged_weights_and_what_privacy_assumes(
    digits_run, tmp_path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(digits_run, run)
    start = json.loads((run / "start.json").read_text()) | {"start": "package:ndf"}
    (run / "start.json").write_text(json.dumps(start))
    spent = {
        "epsilon": 3.25,
        "delta": 1e-5,
        "accountant": "an accountant",
        "neighbours": "one client added or removed",
        "assumes": ["nobody peeks"],
    }
    success = json.loads((run / "SUCCESS").read_text()) | {"privacy": spent}
    (run / "SUCCESS").write_text(json.dumps(success))
    path = model_card.write(run, "best", run / "best.keras")
    card = path.read_text()
    assert path.name == "best.keras.md"
    assert card.startswith("---\nlibrary_name: keras\n")
    assert "\nlicense: mit\n" in card
    assert "| licence of the weights | MIT |" in card
    assert "| epsilon | 3.25 at delta 1e-05 |" in card
    assert "| assumes | nobody peeks |" in card
