"""What the folder of `make device-check` does not hold is drawn alike on both machines."""

import numpy as np
import pytest

from tools.device_check.drawing import made, sample_of


def test_an_array_that_the_folder_holds_is_taken_and_others_are_drawn_by_name_and_client() -> None:
    held = np.arange(3.0)
    assert made(("float32", [3]), {"a": held}, "a") is held
    first, again, other = (made(("float32", [4, 5]), {}, "b", seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert first.dtype == np.float32


def test_images_are_drawn_as_bytes() -> None:
    images = made(("uint8", [100, 8]), {}, "x")
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == pytest.approx((0, 255), abs=5)


def test_a_sample_keeps_small_arrays_whole_and_large_ones_small() -> None:
    assert sample_of(np.ones((2, 3))).tolist() == [1.0] * 6
    assert 4096 <= sample_of(np.zeros(100_000)).size < 2 * 4096
