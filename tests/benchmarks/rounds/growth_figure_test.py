"""The figure of how a round grows."""

import pytest

from benchmarks.rounds import growth_figure


def point(axis, model, value, seconds, megabytes):
    return {"axis": axis, "model": model, axis: value} | {
        "seconds": seconds,
        "peak_megabytes": megabytes,
    }


POINTS = [
    point("clients", "softmax", 10, 0.01, 700.0),
    point("clients", "softmax", 1000, 1.0, 701.0),
    point("clients", "cnn", 10, 0.4, 850.0),
    point("parameters", "perceptron_64", 54_270, 0.03, 710.0),
    point("parameters", "perceptron_512", 433_726, 0.2, 750.0),
    point("clients_in_flight", "cnn", 1, 1.6, 800.0),
    point("clients_in_flight", "cnn", 2, 0.9, 850.0),
]


@pytest.fixture(scope="module")
def panels():
    return growth_figure.draw(POINTS).axes


def test_every_point_is_drawn_in_time_and_in_memory(panels):
    drawn = [tuple(pair) for panel in panels for line in panel.lines for pair in line.get_xydata()]
    expected = [
        (point[point["axis"]], point[quantity])
        for quantity in ("seconds", "peak_megabytes")
        for point in POINTS
    ]
    assert sorted(drawn) == sorted(expected)


def test_axes_carry_their_quantity_and_unit(panels):
    assert [panel.get_ylabel() for panel in panels[::3]] == ["seconds a round", "peak memory (MB)"]
    assert [panel.get_xlabel() for panel in panels[3:]] == [
        "clients a round",
        "parameters of the model",
        "clients in flight",
    ]


def test_memory_starts_at_zero_and_nothing_is_cut_off(panels):
    for panel in panels[3:]:
        low, high = panel.get_ylim()
        assert low == 0
        assert high > max(value for line in panel.lines for value in line.get_ydata())
