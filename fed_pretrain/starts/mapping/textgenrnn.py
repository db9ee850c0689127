"""textgenrnn's character LSTM, saved from CuDNN's layers by Keras 2.1.5."""

import numpy as np

from fed_pretrain.starts.mapping.translation import NameMap, Tensors, Translation

_GATES = 4


def recognises(tensors: Tensors) -> bool:
    return "attention/attention_W" in tensors and "rnn_1/recurrent_kernel" in tensors


def translate(tensors: Tensors) -> Translation:
    found = Translation("textgenrnn character LSTM", head="output")
    for source, tensor in tensors.items():
        layer, _, attribute = source.rpartition("/")
        if source == "attention/attention_W":
            found.put("attention/kernel", source, tensor)
        elif layer.startswith("rnn_") and _is_cudnn(tensors, layer):
            found.put(source, source, _CONVERT[attribute](tensor))
        else:
            found.put(source, source, tensor)
    return found


def _is_cudnn(tensors: Tensors, layer: str) -> bool:
    """CuDNN has a bias for the input and one for the state; Keras' plain LSTM has their sum."""
    units = tensors[f"{layer}/recurrent_kernel"].shape[0]
    return tensors[f"{layer}/bias"].shape == (2 * _GATES * units,)


def _kernel(tensor: np.ndarray) -> np.ndarray:
    """CuDNN's blocks were filed column by column."""
    blocks = np.split(tensor, _GATES, axis=1)
    return np.hstack([block.T.reshape(block.shape, order="F") for block in blocks])


def _recurrent_kernel(tensor: np.ndarray) -> np.ndarray:
    return np.hstack([block.T for block in np.split(tensor, _GATES, axis=1)])


def _bias(tensor: np.ndarray) -> np.ndarray:
    return np.sum(np.split(tensor, 2), axis=0)


_CONVERT = {"kernel": _kernel, "recurrent_kernel": _recurrent_kernel, "bias": _bias}

MAP = NameMap("textgenrnn", recognises, translate)
