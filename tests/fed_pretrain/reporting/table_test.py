import csv
import io

import pytest

from fed_pretrain.reporting.estimates import NOTHING, Estimate
from fed_pretrain.reporting.table import HIGHEST, Table


def read(table):
    return list(csv.reader(io.StringIO(table.csv(), newline="")))


def test_an_estimate_takes_four_numeric_columns():
    table = Table(
        "it", "", ["", "a", "b"], [["x", Estimate(0.5, 0.4, 0.6, 3), 2], ["y", NOTHING, None]]
    )
    assert read(table) == [
        ["", "a", "a low", "a high", "a n", "b"],
        ["x", "0.5", "0.4", "0.6", "3", "2"],
        ["y", "", "", "", "0", ""],
    ]


def test_latex_has_rules_a_caption_a_label_and_the_best_in_bold():
    rows = [["fed_avg", Estimate(0.5, 0.4, 0.6, 3)], ["b", Estimate(0.7, 0.6, 0.8, 3)]]
    text = Table("t_1", "50 % of it", ["", "a"], rows, {"a": HIGHEST}).latex()
    assert r"\caption{50 \% of it}" in text
    assert r"\label{tab:t_1}" in text
    assert r"\toprule" in text
    assert r"fed\_avg & 0.500 {\small [0.400, 0.600]} \\" in text
    assert r"b & \textbf{0.700} {\small [0.600, 0.800]} \\" in text


def test_the_page_writes_the_interval_beside_the_mean():
    html = Table("it", "c", ["", "a"], [["<x>", Estimate(-0.5, -0.6, -0.4, 3)]]).html()
    assert "−0.500 <span>−0.600 to −0.400</span>" in html
    assert "&lt;x&gt;" in html


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\tx"])
def test_a_name_that_a_spreadsheet_would_run_is_quoted_in_a_csv(name):
    header, row = read(Table("it", "", ["", name], [[name, "1.0"]]))
    assert row[0] == f"'{name}"
    assert header[1] == f"'{name}"


def test_a_carriage_return_in_a_name_does_not_end_a_row():
    assert read(Table("it", "", ["x"], [["name\r=1"]])) == [["x"], ["name =1"]]


@pytest.mark.parametrize("cell", ["-0.100", "-0.1 ± 0.05", "-1e-05 ± 0.2 (95 %, 3 seeds)", "–"])
def test_a_negative_figure_stays_as_it_is_in_a_csv(cell):
    assert read(Table("it", "", ["x"], [[cell]]))[1] == [cell]
