import math

import pytest

from fed_pretrain.reporting import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4878, "+0.49"),
        (-2.81, "−2.8"),
        (0.0007, "+0.00070"),
        (0.0999, "+0.10"),
        (3925.4, "+3,925"),
        (0.0, "0"),
        (-2.8e-17, "−2.8e−17"),
        (math.nan, "–"),
    ],
)
def test_an_effect_has_two_digits_and_a_true_minus(value, text):
    assert numbers.signed(value) == text


def test_a_negative_number_that_rounds_to_zero_is_zero():
    assert numbers.fixed(-0.0001) == "0.000"


def test_lists_and_counts_are_written_as_in_a_sentence():
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"
    assert numbers.counted(1, "seed") == "1 seed"
    assert numbers.counted(1200, "run") == "1,200 runs"
    assert [numbers.in_words(n) for n in (0, 3, 12)] == ["no", "three", "12"]
