"""Oracle: tf.train.Example, serialised deterministically."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from data_prep.store.examples import ExampleEncoder, WrongValue, integer_of, text_of
from data_prep.store.features import FeatureSpec

FEATURES = (
    FeatureSpec("text", "text"),
    FeatureSpec("image", "image", (2, 3, 1)),
    FeatureSpec("label", "int64"),
    FeatureSpec("box", "int64", (2, 2)),
    FeatureSpec("weight", "float32"),
    FeatureSpec("vector", "float32", (3,)),
)
GOOD: dict[str, Any] = {
    "text": "naïve ☃",
    "image": bytes(range(6)),
    "label": 7,
    "box": [[1, -2], [300, 2**62]],
    "weight": 0.1,
    "vector": np.array([1, 2, 3.5], np.float32),
}


def theirs(values: dict[str, Any]) -> bytes:
    def feature(name: str, value: Any) -> tf.train.Feature:
        if name == "text":
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if name == "image":
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        flat = np.ravel(value).tolist()
        if name in ("label", "box"):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))

    features = {name: feature(name, value) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


@pytest.mark.parametrize("label", [0, 1, 127, 128, 255, 256, 2**31, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("text", ["", "naïve ☃", "x" * 127, "x" * 128, "word " * 5000])
def test_the_bytes_equal_protobufs(label: int, text: str) -> None:
    values = GOOD | {"label": label, "text": text}
    encoder = ExampleEncoder(FEATURES)
    assert encoder.encode(values) == theirs(values)
    assert encoder.encode(values) == theirs(values)  # The second comes from the caches.


def test_arrays_and_numpy_scalars_encode_like_plain_values() -> None:
    encoder = ExampleEncoder(FEATURES)
    arrays = GOOD | {
        "image": np.arange(6, dtype=np.uint8).reshape(2, 3, 1),
        "label": np.int32(7),
        "box": np.array(GOOD["box"]),
        "weight": np.float64(0.1),
    }
    assert encoder.encode(arrays) == encoder.encode(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", b"short"),
        ("image", np.zeros((2, 3, 1), np.float32)),
        ("image", np.zeros((3, 2, 1), np.uint8)),
        ("label", 1.0),
        ("label", "3"),
        ("label", True),
        ("label", None),
        ("label", 2**63),
        ("text", b"bytes"),
        ("text", None),
        ("text", "\ud800"),
        ("box", [1, 2, 3, 4]),
        ("box", [[1.5, 2], [3, 4]]),
        ("weight", "heavy"),
        ("vector", [1, 2]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_features_name(name: str, value: Any) -> None:
    with pytest.raises(WrongValue, match=name):
        ExampleEncoder(FEATURES).encode(GOOD | {name: value})


def test_missing_and_unknown_features_are_refused() -> None:
    encoder = ExampleEncoder(FEATURES)
    with pytest.raises(WrongValue, match=r"missing.*label"):
        encoder.encode({name: value for name, value in GOOD.items() if name != "label"})
    with pytest.raises(WrongValue, match=r"unknown.*colour"):
        encoder.encode(GOOD | {"colour": 1})
    with pytest.raises(WrongValue, match=r"missing.*label.*unknown.*lable"):
        encoder.encode({("lable" if n == "label" else n): v for n, v in GOOD.items()})


def test_one_text_or_number_is_read_back_from_among_the_others() -> None:
    long = GOOD | {"text": "much longer " * 100}
    assert text_of(ExampleEncoder(FEATURES).encode(GOOD), "text") == "naïve ☃"
    assert text_of(ExampleEncoder(FEATURES).encode(long), "text") == long["text"]
    for label in (0, 7, 300, 2**62, -1, -(2**63)):
        encoded = ExampleEncoder(FEATURES).encode(GOOD | {"label": label})
        assert integer_of(encoded, "label") == label
    with pytest.raises(WrongValue, match="title"):
        text_of(ExampleEncoder(FEATURES).encode(GOOD), "title")
