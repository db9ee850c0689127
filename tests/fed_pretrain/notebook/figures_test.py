"""Figures on axes that are given, with the numbers of the rows."""

import io

import pytest
from matplotlib.figure import Figure

from fed_pretrain.notebook import figures
from fed_pretrain.notebook.argument_errors import ArgumentError


def rows(*values):
    return [{"round": number, "eval_accuracy": value} for number, value in enumerate(values)]


def test_a_line_is_the_mean_of_its_runs_and_the_band_their_range():
    ax = Figure().subplots()
    curves = {
        ("random", 0, 0): [rows(0.1, 0.3, None), rows(0.3, 0.5, 0.9)],
        ("mine", 1, 0): [rows(0.5, 0.6)],
    }
    made = figures.comparison(curves, "eval_accuracy", ax)
    assert made is ax.get_figure()
    first, second = ax.get_lines()
    assert list(first.get_xdata()) == [0, 1]
    assert list(first.get_ydata()) == pytest.approx([0.2, 0.4])
    assert list(second.get_ydata()) == [0.5, 0.6]
    [band] = ax.collections
    assert sorted({round(y, 6) for _, y in band.get_paths()[0].vertices}) == [0.1, 0.3, 0.5]
    assert ax.get_ylabel() == "accuracy"


def test_a_column_that_no_row_has_is_named():
    with pytest.raises(ArgumentError, match="column='loss': no row has it"):
        figures.comparison({("random", 0, 0): [rows(0.1)]}, "loss", Figure().subplots())


def test_a_dollar_sign_in_a_name_is_one():
    ax = Figure().subplots()
    made = figures.comparison({(r"$\no formula{$", 0, 0): [rows(0.1)]}, "eval_accuracy", ax)
    made.savefig(io.BytesIO())
