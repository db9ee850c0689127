"""An LSTM with or without the fused kernel, the weights the same.

The fused GPU kernel has no second derivative; curvature needs the plain cell.
"""

import tensorflow as tf


def lstm(units: int, name: str, *, cudnn: bool = True, **kwargs: object) -> tf.keras.layers.Layer:
    """All hidden states of an LSTM; `cudnn=False` can be differentiated twice on every device."""
    if cudnn:
        return tf.keras.layers.LSTM(units, return_sequences=True, name=name, **kwargs)
    cell = tf.keras.layers.LSTMCell(units, **kwargs)
    return tf.keras.layers.RNN(cell, return_sequences=True, name=name)
