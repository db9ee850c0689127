"""The convolutions of a model, and what enters the ReLU behind each."""

from dataclasses import dataclass

import tensorflow as tf

from groundwork.errors import UserError


@dataclass(frozen=True)
class FilterLayer:
    """A convolution and the layer whose output enters the ReLU: itself or the norm behind it."""

    convolution: tf.keras.layers.Layer
    norm: tf.keras.layers.Layer | None

    @property
    def name(self) -> str:
        return str(self.convolution.name)

    def patch_response(self, x: tf.Tensor) -> tf.Tensor:
        """The filter on its input, without bias."""
        layer = self.convolution
        if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
            strides = (1, *layer.strides, 1)
            padding = layer.padding.upper()
            return tf.nn.depthwise_conv2d(x, layer.depthwise_kernel, strides, padding)
        return layer.convolution_op(x, layer.kernel)

    def entering(self, response: tf.Tensor) -> tf.Tensor:
        """What enters the ReLU, of what `patch_response` gives."""
        if self.convolution.use_bias:
            response += self.convolution.bias
        return response if self.norm is None else self.norm(response)


def filter_layers(model: tf.keras.Model) -> list[FilterLayer]:
    """Every convolution of a functional model, in the model's order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D | tf.keras.layers.DepthwiseConv2D):
            found.append(FilterLayer(layer, _norm_behind(layer)))
    if not found:
        raise UserError("--probes=misalignment: this model has no convolution filters")
    return found


def _norm_behind(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer | None:
    if tf.keras.activations.serialize(layer.activation) != "linear":
        return None
    behind = [node.outbound_layer for node in layer.outbound_nodes]
    norms = (tf.keras.layers.GroupNormalization, tf.keras.layers.BatchNormalization)
    return behind[0] if len(behind) == 1 and isinstance(behind[0], norms) else None
