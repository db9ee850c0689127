"""bfloat16, which NumPy does not know: the upper half of a float32."""

import numpy as np


def widen_bfloat16(bits: np.ndarray, is_bfloat16: bool) -> np.ndarray:
    """Float32 values of stored bfloat16 bits; anything else stays as it is."""
    if not is_bfloat16:
        return bits
    return (bits.astype(np.uint32) << 16).view(np.float32)
