import csv
import io

import pytest

from fed_pretrain.reporting.charts.dumbbells import Dumbbell, Dumbbells, Mark

ROW = Dumbbell("Toy", (Mark("random", 0, (0.1, 1000.0)), Mark("digits", 1, (10.0, 10.0))), "10×")


def test_on_a_logarithmic_axis_the_mark_is_the_geometric_mean():
    chart = Dumbbells("it", "Top", "caption", (ROW,), logarithmic=True, quantity="top")
    rows = list(csv.DictReader(io.StringIO(chart.table().csv())))
    assert float(rows[0]["top"]) == pytest.approx(10.0)
    assert float(rows[1]["top"]) == pytest.approx(10.0)
    assert float(rows[0]["top low"]) < 10.0 < float(rows[0]["top high"])


def test_random_weights_are_a_ring_and_every_seed_has_a_tick():
    drawn = str(Dumbbells("it", "Top", "caption", (ROW,)).html())
    assert 'class="d s0 ring"' in drawn
    assert 'class="d s1"' in drawn
    assert drawn.count('class="sd') == 4


def test_dollar_signs_in_names_are_no_formulas_in_the_figure_for_papers():
    name = r"$\no formula{$"
    row = Dumbbell(name, (Mark(name, 0, (1.0, 2.0)),), name)
    drawn = dict(Dumbbells("it", name, name, (row,), quantity=name).figures())
    assert drawn["figures/it.svg"].decode().count(">$\\no formula{$<") == 3
