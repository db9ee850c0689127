"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv 1602.07360), in torchvision's layout.

"Where to Begin?" uses torchvision's 1.0; the embedded ImageNet weights (package ndf) are 1.1.
Layers: conv1, fireN/{squeeze1x1, expand1x1, expand3x3}, conv10 (torchvision's classifier.1).

torchvision pools with ceil_mode, without which 1.0 has no pixel left at 28 or 32: pooling windows
may hang over the right and bottom edge. It also puts a ReLU behind conv10, which keeps a fresh head
from learning negative evidence; `final_relu` brings it back.
"""

import tensorflow as tf

from fed_pretrain.models import small_cnns
from fed_pretrain.models.dropout import KeyedDropout

# Where each version pools, and (squeeze, expand) widths of the fire modules 2 to 9.
_FIRES = {2 + i: (width, 4 * width) for i, width in enumerate((16, 16, 32, 32, 48, 48, 64, 64))}
_POOL_BEFORE = {"1.0": (2, 5, 9), "1.1": (2, 4, 6)}


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    inputs: tf.Tensor | None = None,
    *,
    version: str = "1.0",
    conv1_padding: str = "valid",
    ceil_mode: bool = True,
    final_relu: bool = False,
    dropout: float = 0.5,
) -> tf.keras.Model:
    """1.1 is 2.4 times less work, as accurate; ndf's own forward pass has conv1_padding="same"."""
    if version not in _POOL_BEFORE:
        raise ValueError(f"SqueezeNet comes as 1.0 or 1.1, not {version!r}")
    start = small_cnns.image_input(input_shape, inputs)
    width, kernel = (96, 7) if version == "1.0" else (64, 3)
    x = _conv(start, width, kernel, "conv1", strides=2, padding=conv1_padding)
    for number, (squeeze, expand) in _FIRES.items():
        if number in _POOL_BEFORE[version]:
            x = _pool(x, f"pool{number - 1}", ceil_mode)
        x = _fire(x, squeeze, expand, f"fire{number}")
    x = KeyedDropout(dropout, name="dropout")(x)
    x = tf.keras.layers.Conv2D(
        num_classes,
        1,
        activation="relu" if final_relu else None,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
        name="conv10",
    )(x)
    logits = tf.keras.layers.GlobalAveragePooling2D(name="logits")(x)
    return small_cnns.model(start, logits, f"squeezenet{version.replace('.', '_')}")


def _conv(
    x: tf.Tensor, filters: int, kernel: int, name: str, strides: int = 1, padding: str = "same"
) -> tf.Tensor:
    return tf.keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        activation="relu",
        kernel_initializer="he_uniform",
        name=name,
    )(x)


def _fire(x: tf.Tensor, squeeze: int, expand: int, name: str) -> tf.Tensor:
    squeezed = _conv(x, squeeze, 1, f"{name}_squeeze1x1")
    expanded = [_conv(squeezed, expand, size, f"{name}_expand{size}x{size}") for size in (1, 3)]
    return tf.keras.layers.Concatenate(name=f"{name}_concat")(expanded)


def _pool(x: tf.Tensor, name: str, ceil_mode: bool) -> tf.Tensor:
    """Max pooling 3/2. What is pooled went through a ReLU, so zeros pad as minus infinity would."""
    if ceil_mode:
        hanging = [(max(size - 3, -1) + 1) // 2 * 2 + 3 - size for size in x.shape[1:3]]
        if any(hanging):
            padding = tuple((0, pixels) for pixels in hanging)
            x = tf.keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    return tf.keras.layers.MaxPooling2D(3, 2, name=name)(x)
