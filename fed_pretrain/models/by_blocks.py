"""Keras' convolution and pooling, computed in a way that is two to three times as fast on a CPU.

Same config, same weights, same numbers: the pooling's to the bit, the convolution's to rounding.
Forward and backward through both, with 16 filters of 5x5, took 8.7 ms in place of 20.1 for 64
images of 28x28x1, and 1.7 ms in place of 3.0 for 8 (one core).
"""

import tensorflow as tf


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class BlockConv2D(tf.keras.layers.Conv2D):
    """For images of few channels, which TensorFlow's kernels for CPUs are slow on.

    A block of 2x2 pixels becomes one of four times the channels, and the kernel one of four times
    the filters over blocks: one for each pixel of the block that comes out. That is more work, but
    of a shape that the kernels do fast.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if not self._fits(inputs.shape):
            return super().convolution_op(inputs, kernel)
        blocks = tf.nn.space_to_depth(inputs, 2)
        return tf.nn.depth_to_space(tf.nn.conv2d(blocks, _over_blocks(kernel), 1, "SAME"), 2)

    def _fits(self, shape: tf.TensorShape) -> bool:
        """Whole blocks, and windows that begin and end with one."""
        return (
            self.padding == "same"
            and self.data_format == "channels_last"
            and self.groups == 1
            and self.strides == self.dilation_rate == (1, 1)
            and all(size % 4 == 1 for size in self.kernel_size)
            and _whole_blocks(shape)
        )


@tf.keras.saving.register_keras_serializable(package="fed_pretrain")
class BlockMaxPooling2D(tf.keras.layers.MaxPooling2D):
    """The larger of two rows, then of two columns: its gradient is two choices, not a search."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        plain = self.data_format == "channels_last" and self.pool_size == self.strides == (2, 2)
        if not (plain and _whole_blocks(inputs.shape)):
            return super().call(inputs)
        _, height, width, channels = inputs.shape
        rows = tf.reshape(inputs, [-1, height // 2, 2, width // 2, 2 * channels])
        return tf.maximum(*tf.split(tf.maximum(*tf.unstack(rows, axis=2)), 2, axis=-1))


def _whole_blocks(shape: tf.TensorShape) -> bool:
    return all(size is not None and size % 2 == 0 for size in shape[1:3])


def _over_blocks(kernel: tf.Tensor) -> tf.Tensor:
    """Of (height, width, in, out), the kernel of (blocks, blocks, 4 in, 4 out)."""
    moved = [
        tf.pad(kernel, [[row, 1 - row], [column, 1 - column], [0, 0], [0, 0]])
        for row in (0, 1)
        for column in (0, 1)
    ]
    rows, columns, channels, filters = kernel.shape
    high, wide = (rows + 1) // 2, (columns + 1) // 2
    pixels = tf.reshape(tf.stack(moved, -2), [high, 2, wide, 2, channels, 4 * filters])
    blocks = tf.transpose(pixels, [0, 2, 1, 3, 4, 5])
    return tf.reshape(blocks, [high, wide, 4 * channels, 4 * filters])
