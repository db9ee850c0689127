"""VGG-11, configuration A (Simonyan and Zisserman 2015, arXiv 1409.1556), in torchvision's layout.

With the published classifier (two dense layers of 4096) it has 132,863,336 parameters at 224x224x3
and 1000 classes; small images take the usual CIFAR form, one linear layer on the 512 features
(9,225,610 parameters at 32x32x3 and 10 classes). Layers are torchvision's: features_0, features_3,
..., classifier_0, classifier_3, classifier_6; the short head is called classifier.
"""

import tensorflow as tf

from fed_pretrain.models import small_cnns
from fed_pretrain.models.dropout import KeyedDropout
from fed_pretrain.models.norm import norm as norm_layer

# torchvision's indices within `features`: each convolution is followed by a ReLU, "M" pools.
_CONFIGURATION = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


def build(
    num_classes: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    inputs: tf.Tensor | None = None,
    *,
    norm: str = "none",
    groups: int = 32,
    classifier: str = "linear",
    dropout: float = 0.5,
) -> tf.keras.Model:
    """`classifier` is "linear" or "published"; the latter takes 224x224 images only."""
    x = start = small_cnns.image_input(input_shape, inputs)
    index = 0
    for width in _CONFIGURATION:
        if width == "M":
            x = tf.keras.layers.MaxPooling2D(2, name=f"features_{index}")(x)
            index += 1
            continue
        x = tf.keras.layers.Conv2D(
            width,
            3,
            padding="same",
            kernel_initializer=small_cnns.he_fan_out(),
            name=f"features_{index}",
        )(x)
        x = norm_layer(x, norm, f"features_{index}_norm", groups=groups)
        x = tf.keras.layers.ReLU(name=f"features_{index + 1}")(x)
        index += 2
    if classifier == "published":
        logits = _published_classifier(x, num_classes, dropout)
    elif classifier == "linear":
        x = tf.keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
        logits = _dense(x, num_classes, "classifier")
    else:
        raise ValueError(f"classifier is linear or published, not {classifier!r}")
    return small_cnns.model(start, logits, "vgg11")


def _published_classifier(x: tf.Tensor, num_classes: int, dropout: float) -> tf.Tensor:
    if tuple(x.shape[1:3]) != (7, 7):
        raise ValueError(
            f"the published classifier takes 7x7 features (224x224 images), not {x.shape[1:3]}"
        )
    # torch flattens channels first.
    x = tf.keras.layers.Permute((3, 1, 2), name="channels_first")(x)
    x = tf.keras.layers.Flatten(name="flatten")(x)
    for index in (0, 3):
        x = _dense(x, 4096, f"classifier_{index}", activation="relu")
        x = KeyedDropout(dropout, name=f"classifier_{index + 2}")(x)
    return _dense(x, num_classes, "classifier_6")


def _dense(x: tf.Tensor, units: int, name: str, activation: str | None = None) -> tf.Tensor:
    return tf.keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
        name=name,
    )(x)
