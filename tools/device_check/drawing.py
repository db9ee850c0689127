"""Arrays that two machines draw alike: `RandomState` gives the same numbers in every NumPy."""

import numpy as np

_SAMPLE = 4096


def made(spec, small, name, seed=0):
    """An array of the folder, or the one that its numbers give on every machine."""
    if name in small:
        return small[name]
    dtype, shape = spec
    draw = np.random.RandomState(1000 + 7919 * seed + sum(name.encode()) % 997)
    if dtype == "uint8":
        return draw.randint(0, 256, size=shape).astype(np.uint8)
    fan_in = max(1, int(np.prod(shape[:-1])))
    return (draw.randn(*shape) / fan_in**0.5).astype(dtype)


def sample_of(array):
    """Some of an array's numbers, the same places each time."""
    flat = np.asarray(array, np.float64).ravel()
    return flat[:: max(1, flat.size // _SAMPLE)]
