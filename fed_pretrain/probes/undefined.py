"""Numbers that JSON cannot hold: what is not finite is written as null."""

import math
from collections.abc import Mapping
from typing import Any


def defined(value: Any) -> Any:
    """The same nested value with None in place of NaN and the infinities."""
    if isinstance(value, Mapping):
        return {name: defined(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [defined(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
