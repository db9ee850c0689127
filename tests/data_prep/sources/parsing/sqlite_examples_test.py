import numpy as np
import pytest
from tensorflow.core.example.example_pb2 import Example

from data_prep.sources.parsing import sqlite_examples


@pytest.mark.parametrize("count", [0, 1, 40, 5000])
def test_floats_are_those_of_the_message_whatever_else_it_holds(count: int) -> None:
    """As protobuf itself gives them; a later field of a newer format follows the list."""
    example = Example()
    example.features.feature["x"].float_list.value.extend(n / 7 for n in range(count))
    example.features.feature["x"].float_list.MergeFromString(b"\x12\x03new")
    found = sqlite_examples.parse(example.SerializeToString())["x"]
    np.testing.assert_array_equal(
        found, np.array(example.features.feature["x"].float_list.value, np.float32)
    )
