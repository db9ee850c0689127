"""Measurements in processes of their own."""

import pytest

from benchmarks.rounds import child


def test_a_measurement_that_fails_says_which_and_why():
    with pytest.raises(SystemExit, match=r"size\.measure .*'cnn'(?s:.*)missing 3 required"):
        child.call("size.measure", model="cnn")
