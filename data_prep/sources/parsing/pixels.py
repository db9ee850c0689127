"""Decodes the image files of image folders."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from groundwork.errors import words_of

MOST_PIXELS = 1 << 26
_MOST_BYTES = 256 << 20
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


class UnreadableImage(Exception):
    """The bytes are not a whole image."""


def read_image(path: Path, mode: str | None = None) -> Image.Image:
    """The file's image, as `decode` gives it, in bounded memory."""
    with open(path, "rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise UnreadableImage(f"it is larger than {_MOST_BYTES >> 20} MiB")
    return decode(content, mode)


def decode(content: bytes, mode: str | None = None) -> Image.Image:
    """The decoded image, in PIL's `mode`; a cut or unknown file is refused, never half read."""
    try:
        image: Image.Image = Image.open(io.BytesIO(content))
        if image.size[0] * image.size[1] > MOST_PIXELS:
            raise UnreadableImage(f"it has {image.size[0]:,} x {image.size[1]:,} pixels")
        image.load()
        return image if mode is None else image.convert(mode)
    except UnidentifiedImageError as error:
        raise UnreadableImage("it is not an image, or of a kind that is not known") from error
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's readers meet damage in many ways
        raise UnreadableImage(words_of(error)) from error


def pixels(image: Image.Image, size: tuple[int, ...] | None = None) -> np.ndarray:
    """The image as uint8 [height, width, channels], resized to (height, width) where it differs."""
    if size and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    array = np.asarray(image, dtype=np.uint8)
    return array if array.ndim == 3 else array[..., np.newaxis]


_TOLERANCE = 1e-4  # of a grey level: float32 keeps k/255 to about 1e-5 of one


def as_bytes(values: np.ndarray) -> np.ndarray | None:
    """The uint8 image whose 255th parts the values are, or None where they are something else."""
    levels = np.asarray(values, dtype=np.float64) * 255.0
    with np.errstate(invalid="ignore"):  # What is not a byte becomes one that is far from it.
        nearest = np.rint(levels).astype(np.uint8)
        return nearest if np.abs(levels - nearest).max(initial=0) <= _TOLERANCE else None
