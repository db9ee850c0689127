"""Two environments take turns, and a pair is compared with itself alone."""

import sys

from benchmarks import environments


def test_who_is_first_changes_from_pair_to_pair_and_ratios_are_ours_by_the_others(
    monkeypatch,
) -> None:
    order = []

    def child(python, name):
        order.append(python)
        return {"round": 3.0 if python == "older" else 2.0 * 3.0}

    monkeypatch.setattr(environments, "_child", child)
    pairs = environments.paired("older", ["digits"], 3)["digits"]
    this = sys.executable
    assert order == [this, "older", "older", this, this, "older"]
    assert environments.ratios(pairs) == {"round": [2.0, 2.0, 2.0]}
