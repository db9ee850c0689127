import pytest

from fed_pretrain.reporting.charts.scale import Scale, covering, nice_step, tick_text


def test_a_linear_scale_covers_its_values_with_round_ends():
    scale = covering([0.13, 0.79], include=[0.0])
    assert (scale.low, scale.high) == (0.0, 0.8)
    assert scale.ticks(4) == [0.0, 0.2, 0.4, 0.6, 0.8]


def test_a_logarithmic_scale_covers_whole_decades():
    scale = covering([3.0, 420.0, -1.0], logarithmic=True)
    assert (scale.low, scale.high) == (1.0, 1000.0)
    assert scale.share(10.0) == pytest.approx(1 / 3)
    assert scale.ticks() == [1.0, 10.0, 100.0, 1000.0]


def test_equal_values_and_no_values_still_make_a_scale():
    assert covering([0.5, 0.5]).share(0.5) == pytest.approx(0.5, abs=0.2)
    assert covering([]).high > covering([]).low


def test_what_is_outside_is_drawn_at_the_end():
    assert Scale(0.0, 1.0).share(7.0) == 1.0
    assert Scale(0.0, 1.0).share(-7.0) == 0.0


@pytest.mark.parametrize(("size", "step"), [(0.21, 0.25), (0.2, 0.2), (3, 5), (70, 100), (0, 1)])
def test_steps_are_round(size, step):
    assert nice_step(size) == pytest.approx(step)


def test_ticks_are_short():
    assert [tick_text(v) for v in (0.25, -0.5, 1000.0, 1e6, 2e-5)] == [
        "0.25", "−0.5", "1,000", "1e6", "2e−5",
    ]  # fmt: skip
