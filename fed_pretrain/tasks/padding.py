"""Payloads of few shapes, for compilers that build a program for each shape they meet (XLA).

`rows` says how many rows are the client's and `order` names no other, so that padding changes no
step, no weight and no metric.
"""

import collections
from collections.abc import Mapping

import numpy as np

from fed_pretrain.tasks.encoder import PADDING_LABEL
from fed_pretrain.tasks.local_work import PADDING_ROW

# By the last part of a field's name: held_x is padded as x is.
_FILLS = {"x": 0, "y": PADDING_LABEL, "order": PADDING_ROW}


def padded(payload: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The payload with rows and steps padded to sizes that double from one to the next.

    Rows start at one batch. With one epoch a client of n rows so takes one of log2(n / batch) + 1
    shapes; with more epochs, of at most twice as many. What has no `rows` is no payload and stays.
    """
    if "rows" not in payload:
        return payload
    batch = payload["order"].shape[1]
    full = collections.OrderedDict(payload)
    for name, value in payload.items():
        kind = name.split("_")[-1]
        if kind in _FILLS:
            smallest = 1 if kind == "order" else batch
            full[name] = _lengthened(value, bucket(len(value), smallest), _FILLS[kind])
    return full


def bucket(size: int, smallest: int) -> int:
    """The first of smallest, 2 smallest, 4 smallest, ... that holds `size`."""
    doublings = max(-(-size // smallest) - 1, 0).bit_length()
    return smallest << doublings


def _lengthened(values: np.ndarray, length: int, fill: int) -> np.ndarray:
    if len(values) == length:
        return values
    whole = np.full((length, *values.shape[1:]), fill, values.dtype)
    whole[: len(values)] = values
    return whole
