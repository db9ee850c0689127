"""Work done by several threads, taken in the order it was asked for, with a bounded window."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(
    pool: concurrent.futures.Executor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    window: int,
) -> Iterator[Result]:
    """Yields `work(item)` in the order of `items`; at most `window` are begun and not yielded.

    A result waits only for those before it, so memory is O(window) and the order of what the
    caller does with the results never depends on which thread was faster.
    """
    begun: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    try:
        for item in items:
            if len(begun) >= window:
                yield begun.popleft().result()
            begun.append(pool.submit(work, item))
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
        concurrent.futures.wait(begun)
