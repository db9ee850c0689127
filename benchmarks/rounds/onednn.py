"""Rounds with oneDNN's kernels and with TensorFlow's own, a process each, in turn."""

import os

from benchmarks.peers import cases
from benchmarks.rounds import growth

CASES = ("cnn_10", "resnet18_10", "char_lstm_10")
SETTINGS = {"0": "TensorFlow's own", "1": "oneDNN's"}
TURNS = 3


def measure(case_name: str, setting: str) -> tuple[float, float]:
    """(seconds, CPU seconds) of the fastest of a few rounds, after two that warm up."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = setting
    from benchmarks.rounds.ours import Ours

    case = cases.CASES[case_name]
    ours = Ours(case.model, cases.clients(case), case.batch, case.rate)
    for _ in range(2):
        ours.round()
    return min(growth.timed(ours))
