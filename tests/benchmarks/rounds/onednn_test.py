"""The table of both kernels."""

from benchmarks.peers import cases
from benchmarks.rounds import onednn, page


def test_the_ratio_is_that_of_a_turns_two_processes(monkeypatch):
    monkeypatch.setattr(page, "circumstances", str)
    turns = [
        {case: {"0": [4.0, 8.0], "1": [2.0, own]} for case in onednn.CASES} for own in (2, 4, 6)
    ]
    found = {"onednn": {"made": "by a command", "turns": turns}}
    made, *_, last = page.kernels_of_both(found).splitlines()
    title = cases.CASES[onednn.CASES[-1]].title
    assert made == "by a command"
    assert last == f"| {title} | 4.00 | 2.00 | 8.00 | 4.00 | 0.50 (0.25 to 0.75) |"
