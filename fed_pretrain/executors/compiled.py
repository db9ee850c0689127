"""What is compiled once and kept as long as its executor."""

from collections.abc import Callable
from typing import Any


def cached(cache: dict[int, tuple[Any, Any]], key: Any, make: Callable[[], Any]) -> Any:
    """By identity: hashing a computation would serialise it. The key is kept alive."""
    if id(key) not in cache:
        cache[id(key)] = (key, make())
    return cache[id(key)][1]


def of_algorithm(process: Any) -> Any:
    """The TFF process of an algorithm, or the process itself."""
    return getattr(process, "process", process)
