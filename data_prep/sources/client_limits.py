"""Limits on a client that only show once all its examples are together."""

from typing import NamedTuple


class ClientLimits(NamedTuple):
    """Clients whose size lies outside are left out whole, and counted.

    The size is the number of examples; with `feature`, of those whose int64 feature of that name
    is 0 (the first chunks: that counts comments, not chunks).
    """

    minimum: int
    maximum: int
    feature: str | None = None
