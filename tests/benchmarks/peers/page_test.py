"""A ratio of two times says something only if both did the same work, side by side."""

from benchmarks.peers import page


def one(seconds, ours=(1.0, 1.0), error=1e-6):
    return {
        "seconds": seconds,
        "cpu_seconds": seconds,
        "ours": [(value, value) for value in ours],
        "error": error,
        "first_seconds": 3.0,
        "first_cpu_seconds": 4.0,
        "resident": 900.0,
        "proportional": 700.0,
    }


def cells(contestants, title):
    (line,) = [line for line in page.table(contestants).splitlines() if f"| {title} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_ratios_are_of_neighbouring_rounds():
    found = {"pfl": one([2.0, 12.0, 5.0], ours=[1.0, 4.0, 2.0])}
    assert cells(found, "pfl")[1:3] == ["5", "2.50 (2.00 to 3.00)"]


def test_other_work_gets_no_times_and_its_error_says_so():
    found = {"fedjax": one([0.5], error=0.3)}
    row = cells(found, "FedJAX")
    assert row[1:5] == ["—"] * 4
    assert row[-1] == "other work: 3e-01"


def test_a_contestant_that_failed_says_why():
    found = {"flower": {"failed": "no such module"}}
    assert cells(found, "Flower")[-1] == "no such module"


def test_a_busy_machine_is_called_so():
    result = {"date": "d", "command": "c", "commit": "f", "machine": "m", "core_count": 2}
    assert "busy machine" in page.circumstances({**result, "load": 1.1})
    assert "busy machine" not in page.circumstances({**result, "load": 0.9})


def test_each_round_is_a_dot_of_the_figure():
    cases = {"cnn_10": {"title": "t", "contestants": {"ours": one([1.0]), "pfl": one([2.0])}}}
    (panel, *_) = page.draw(cases).axes
    drawn = sorted(float(x) for line in panel.lines[:2] for x in line.get_xdata())
    assert drawn == [1.0, 2.0]
