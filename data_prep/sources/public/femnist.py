"""What the three homes of FEMNIST share: classes, features, the choice of bytes or floats."""

import itertools
import string
from collections.abc import Iterable

import numpy as np

from data_prep.sources.parsing import fields, pixels
from data_prep.sources.source import SourceOption
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Feature, Json

SIDE = 28
PIXELS = SIDE * SIDE
LABEL_NAMES = tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)
BACKGROUND = 255
SAMPLE = 500
"""Images looked at when the input is opened, to see whether bytes lose nothing."""

PIXELS_OPTION = SourceOption(
    "pixels",
    "store pixels as bytes, as floats, or as bytes when the first images show that nothing is lost",
    default="auto",
    choices=("auto", "uint8", "float32"),
)


def stored_as(choice: str, sample: Iterable[Feature]) -> str:
    """ "uint8" or "float32"; the first of the sample are read for the choice "auto" alone."""
    if choice != "auto":
        return choice
    return "uint8" if all(map(_is_lossless, itertools.islice(sample, SAMPLE))) else "float32"


def _is_lossless(image: Feature) -> bool:
    try:
        return pixels.as_bytes(image) is not None
    except (TypeError, ValueError, OverflowError):
        return True  # It is bad, which `read` reports with its place.


def features(stored: str) -> tuple[FeatureSpec, ...]:
    kind = "image" if stored == "uint8" else "float32"
    return (FeatureSpec("image", kind, (SIDE, SIDE, 1)), FeatureSpec("label", "int64"))


def extra(stored: str) -> dict[str, Json]:
    return {"background": BACKGROUND if stored == "uint8" else 1.0}


def example(values: Feature, label: Feature, stored: str) -> dict[str, Feature]:
    """The features of one image; BadField says what is wrong with it."""
    return {"image": _image(values, stored), "label": _label(label)}


def _image(values: Feature, stored: str) -> np.ndarray:
    try:
        image = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise fields.BadField("wrong_type", "its pixels are not all numbers") from None
    if image.size != PIXELS:
        raise fields.BadField("wrong_size", f"it has {image.size} pixels, not {PIXELS}")
    if not (image.min() >= 0 and image.max() <= 1):  # NaN is neither
        raise fields.BadField("wrong_pixels", "its pixels are not between 0 and 1")
    image = image.reshape(SIDE, SIDE, 1)
    if stored == "float32":
        return image.astype(np.float32)
    exact = pixels.as_bytes(image)
    if exact is None:
        raise fields.BadField(
            "pixels_not_bytes",
            "its pixels are not 255ths: use --source_options=pixels=float32",
        )
    return exact


def _label(label: Feature) -> int:
    whole = fields.integer({"label": label}, "label")
    if not 0 <= whole < len(LABEL_NAMES):
        raise fields.BadField("wrong_label", f"its label {whole} is not between 0 and 61")
    return whole
