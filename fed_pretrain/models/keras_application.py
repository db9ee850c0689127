"""Models of keras.applications by the name `keras:NAME`, on the task's own input.

Only those whose weighted layers all have fixed names: the others count layers of the process
(`conv2d_17`), so that a name would mean another layer the next time.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Names are checked without importing TensorFlow.
    import tensorflow as tf

PREFIX = "keras:"
# Name -> the preprocessing its ImageNet weights were trained with.
PREPROCESSINGS = {
    "MobileNetV2": "plus_minus_one",
    "DenseNet121": "imagenet_torch",
    "DenseNet169": "imagenet_torch",
    "DenseNet201": "imagenet_torch",
    "ResNet50": "imagenet_bgr_means",
    "ResNet101": "imagenet_bgr_means",
    "ResNet152": "imagenet_bgr_means",
    "ResNet50V2": "plus_minus_one",
    "VGG16": "imagenet_bgr_means",
    "VGG19": "imagenet_bgr_means",
}


@dataclasses.dataclass(frozen=True)
class KerasApplication:
    """The builder of one application, with the arguments of every image model; picklable."""

    name: str

    def __call__(
        self,
        num_classes: int,
        input_shape: tuple[int, int, int] = (224, 224, 3),
        inputs: "tf.Tensor | None" = None,
    ) -> "tf.keras.Model":
        from fed_pretrain.models import small_cnns

        start = small_cnns.image_input(input_shape, inputs)
        return application(self.name)(
            include_top=True,
            weights=None,
            input_tensor=start,
            input_shape=input_shape,
            classes=num_classes,
            classifier_activation=None,
        )


@functools.cache
def application(name: str) -> Any:
    """Keras' own function."""
    import tensorflow as tf

    return getattr(tf.keras.applications, name)
