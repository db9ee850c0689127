from fed_pretrain.reporting.charts.scale import Scale
from fed_pretrain.reporting.charts.strip import strip

SCALE = Scale(-1.0, 1.0)


def test_zero_and_the_mean_are_where_the_scale_says():
    drawn = str(strip(SCALE, 0.5, (0.25, 0.75), [0.4], "holds"))
    assert '<line class="zero" x1="50.0%"' in drawn
    assert '<circle class="pt" cx="75.0%"' in drawn
    assert 'x1="62.5%" x2="87.5%"' in drawn
    assert drawn.count('class="seed"') == 1


def test_an_end_beyond_the_scale_has_no_cap():
    assert str(strip(SCALE, 0.5, (0.25, 7.0))).count("ci cap") == 1


def test_one_seed_has_a_dot_and_no_line():
    assert 'class="ci"' not in str(strip(SCALE, 0.5, None))
