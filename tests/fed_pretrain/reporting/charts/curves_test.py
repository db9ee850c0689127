import html
import json
import re

import pytest

from fed_pretrain.reporting.charts.curves import (
    Curves,
    Frame,
    Line,
    Panel,
    PanelRow,
    line_of,
    thinned,
)

LINES = (
    Line("random weights", 0, (0.0, 2.0, 4.0), ((0.1, 0.2, 0.3), (0.1, 0.4, 0.5))),
    Line("digits", 1, (0.0, 2.0, 4.0), ((0.5, 0.7, 0.8), (0.5, 0.7, 0.9))),
)


def chart(lines=LINES, **frame):
    row = PanelRow("accuracy", (Panel("Toy", lines, bracket=(0, 1)),), from_zero=True)
    return Curves("learning", "caption", (row,), frame=Frame(**frame))


def test_the_bold_line_is_the_mean_and_the_bracket_its_difference_at_the_end():
    drawn = str(chart().html())
    assert drawn.count('class="run s0"') == 2
    assert ">+0.45<" in drawn
    assert "random weights from 0.100 to 0.400; digits from 0.500 to 0.850." in drawn


def test_values_for_the_pointer_are_means_and_ranges():
    data = json.loads(html.unescape(re.search(r'data-j="([^"]*)"', str(chart().html())).group(1)))
    assert data["s"][0]["m"] == [0.1, 0.3, 0.4]
    assert (data["s"][0]["l"], data["s"][0]["h"]) == ([0.1, 0.2, 0.3], [0.1, 0.4, 0.5])


def test_single_runs_of_a_group_are_drawn_and_its_mean_is_hidden_at_first():
    grouped = Line("random weights", 0, LINES[0].x, LINES[0].runs, "fedavg")
    drawn = str(chart((*LINES, grouped)).html())
    assert '<path class="run s0" data-a="fedavg"' in drawn
    assert '<g class="mean s0" data-a="fedavg" hidden>' in drawn
    assert 'class="run s1"' not in drawn


def test_the_csv_has_every_point_and_the_paper_figure_is_a_pdf_and_an_svg():
    ((name, text),) = chart().tables()
    assert name == "tables/learning.csv"
    assert "accuracy,Toy,digits,,4,0.85,0.8,0.9,2" in text.splitlines()
    figures = dict(chart().figures())
    assert set(figures) == {"figures/learning.pdf", "figures/learning.svg"}
    assert figures["figures/learning.pdf"].startswith(b"%PDF")
    assert dict(chart().figures()) == figures


def test_a_long_curve_is_thinned_on_the_page_but_keeps_its_ends():
    kept = thinned(1500)
    assert len(kept) <= 60
    assert (kept[0], kept[-1]) == (0, 1499)


class _Run:
    def __init__(self, rounds, values):
        self.pair = (rounds, values)


def test_a_line_is_over_the_rounds_that_every_run_has():
    runs = [_Run([0, 1, 2], [0.1, float("nan"), 0.3]), _Run([0, 1, 2, 3], [0.2, 0.3, 0.4, 0.5])]
    line = line_of(runs, lambda run: run.pair, "a", 0)
    assert line.x == (0.0, 2.0)
    assert line.mean == pytest.approx((0.15, 0.35))
    assert line_of([_Run([], [])], lambda run: run.pair, "a", 0) is None
