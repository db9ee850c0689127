"""Figures for papers."""

from fed_pretrain.reporting.charts import paper


def test_the_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    made, (axes,) = paper.grid(1, 1)
    axes.plot([1, 2], [1, 1000])
    axes.set_yscale("log")
    paper.plain_ticks(axes.yaxis)
    drawn = dict(paper.files("name", made))["figures/name.svg"].decode()
    assert "mathdefault" not in drawn
    assert ">100<" in drawn
