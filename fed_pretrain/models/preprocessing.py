"""What a model's weights want of pixels in 0..255, as plain Keras layers inside the model.

The normalisation belongs to the pair of model and start: SqueezeNet's embedded weights want BGR
minus means and know nothing at x/255. Built of Rescaling, Cropping2D and Concatenate only, so that
a saved `.keras` file carries its preprocessing and opens without this package.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from groundwork.errors import nearest

if TYPE_CHECKING:  # Names are checked without importing TensorFlow.
    import tensorflow as tf

_CIFAR_MEAN, _CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_BGR_MEANS = (103.939, 116.779, 123.68)


def _rescaled(x: "tf.Tensor", scale: object, offset: object) -> "tf.Tensor":
    import tensorflow as tf

    return tf.keras.layers.Rescaling(scale, offset=offset, name="normalise")(x)


def _standardised(x: "tf.Tensor", mean: tuple[float, ...], std: tuple[float, ...]) -> "tf.Tensor":
    """(x/255 - mean) / std, channel by channel."""
    if x.shape[-1] != len(mean):
        raise ValueError(
            f"this preprocessing is for {len(mean)} channels, the images have {x.shape[-1]}"
        )
    scale = [1.0 / (255.0 * s) for s in std]
    return _rescaled(x, scale, [-m / s for m, s in zip(mean, std, strict=True)])


def _bgr_minus_means(x: "tf.Tensor") -> "tf.Tensor":
    """Reads the channels backwards and takes the Caffe means off (no scaling)."""
    import tensorflow as tf

    if x.shape[-1] != 3:
        raise ValueError(f"imagenet_bgr_means is for 3 channels, the images have {x.shape[-1]}")
    # With `channels_first` Cropping2D crops the last two axes: here width and channel.
    blue, green, red = (
        tf.keras.layers.Cropping2D(
            ((0, 0), (channel, 2 - channel)), data_format="channels_first", name=name
        )(x)
        for channel, name in ((2, "blue"), (1, "green"), (0, "red"))
    )
    bgr = tf.keras.layers.Concatenate(name="bgr")([blue, green, red])
    return _rescaled(bgr, [1.0, 1.0, 1.0], [-m for m in _CAFFE_BGR_MEANS])


INVERTED = "inverted"
_PREPROCESSINGS: dict[str, tuple[str, Callable[["tf.Tensor"], "tf.Tensor"]]] = {
    "none": ("pixels as they come, 0..255", lambda x: x),
    "unit": ("x / 255", lambda x: _rescaled(x, 1 / 255, 0.0)),
    INVERTED: (
        "1 - x / 255 (dark on light as light on dark, so that the background is 0)",
        lambda x: _rescaled(x, -1 / 255, 1.0),
    ),
    "plus_minus_one": (
        "x / 127.5 - 1 (keras.applications' `tf` mode)",
        lambda x: _rescaled(x, 1 / 127.5, -1.0),
    ),
    "lite": ("(x - 127) / 128 (EfficientNet-Lite)", lambda x: _rescaled(x, 1 / 128, -127 / 128)),
    "mnist": (
        "(x / 255 - .1307) / .3081 (where_to_begin's FEMNIST)",
        lambda x: _rescaled(x, 1 / (255 * 0.3081), -0.1307 / 0.3081),
    ),
    "cifar": (
        "x / 255, minus and over CIFAR-10's channel means and deviations (where_to_begin)",
        lambda x: _standardised(x, _CIFAR_MEAN, _CIFAR_STD),
    ),
    "imagenet_torch": (
        "x / 255, minus and over ImageNet's channel means and deviations (torchvision)",
        lambda x: _standardised(x, _TORCH_MEAN, _TORCH_STD),
    ),
    "imagenet_bgr_means": (
        "BGR in 0..255 minus the Caffe means (the embedded SqueezeNet 1.1)",
        _bgr_minus_means,
    ),
}


def names() -> tuple[str, ...]:
    """The preprocessings that `apply` knows."""
    return tuple(_PREPROCESSINGS)


def describe() -> dict[str, str]:
    """What each preprocessing does to a pixel."""
    return {name: text for name, (text, _) in _PREPROCESSINGS.items()}


def check(name: str) -> None:
    if name not in _PREPROCESSINGS:
        known = ", ".join(names())
        raise ValueError(
            f"no preprocessing is named {name!r}; there are {known}{nearest(name, names())}"
        )


def apply(name: str, x: "tf.Tensor") -> "tf.Tensor":
    """Adds the named preprocessing to a Keras tensor of pixels in 0..255 (RGB or grey)."""
    check(name)
    return _PREPROCESSINGS[name][1](x)
