"""Runs are compared with their like."""

import pytest

from fed_pretrain.reporting.claims import pairing
from tests.fed_pretrain.reporting import toy_study

BOTH = ("toy", "random", "digits")


def test_a_difference_pairs_runs_on_every_other_coordinate(tmp_path):
    def runs(axis, values):
        return [
            toy_study.run(tmp_path, value, start="random", partition=partition, epochs=axis)
            for partition, value in values.items()
        ]

    many, few = runs(8, {"a": 0.5, "b": 0.9}), runs(1, {"b": 0.8, "a": 0.1})
    gap = pairing.paired_difference(many, few, "epochs", lambda run: run.last("eval_accuracy"))
    # (0.4 + 0.1) / 2 is one value of the one seed.
    assert (gap.mean, gap.count) == (pytest.approx(0.25), 1)
