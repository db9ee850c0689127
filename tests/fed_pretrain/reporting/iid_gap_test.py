"""Runs are compared with their like."""

from fed_pretrain.reporting.results import FINAL
from fed_pretrain.reporting.sections import iid_gap
from tests.fed_pretrain.reporting import toy_study


def test_a_run_is_paired_on_every_other_coordinate(tmp_path):
    def runs(axis, values):
        return [
            toy_study.run(tmp_path, value, start="random", partition=partition, epochs=axis)
            for partition, value in values.items()
        ]

    many, few = runs(8, {"a": 0.5, "b": 0.9}), runs(1, {"b": 0.8, "a": 0.1})
    found = iid_gap.pairs(many, few, "epochs")
    assert [(one.last(FINAL), other.last(FINAL)) for one, other in found] == [
        (0.5, 0.1),
        (0.9, 0.8),
    ]
