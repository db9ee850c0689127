"""Figures of names that are not ours to choose."""

import numpy as np

from fed_pretrain.probes import drawing

NO_FORMULA = r"$\no formula{$"


def test_dollar_signs_in_the_names_of_clients_and_runs_break_no_figure(tmp_path):
    made = drawing.heat_map(np.eye(2), [NO_FORMULA, "b"], NO_FORMULA, 0.0)
    made.axes[0].plot([0, 1], label=NO_FORMULA)
    made.axes[0].legend()
    drawing.save(made, tmp_path / "a.png")
    assert made.axes[0].get_title() == NO_FORMULA


def test_the_ticks_of_a_logarithmic_axis_are_plain_numbers(tmp_path):
    made, plot = drawing.axes("density", "eigenvalue", "density")
    plot.semilogy([1.0, 1e4])
    drawing.save(made, tmp_path / "a.png")
    assert {"1", "100", "10000"} <= {label.get_text() for label in plot.get_yticklabels()}
