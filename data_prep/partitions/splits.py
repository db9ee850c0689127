"""Which split an example of a client belongs to."""

import itertools
from collections.abc import Iterator

import numpy as np

from data_prep.partitions.partition_config import SplitConfig
from groundwork import randomness

TRAIN, VALIDATION, TEST = range(3)


class Splitter:
    """Decides example by example, a client at a time, its examples in their final order."""

    def __init__(self, config: SplitConfig) -> None:
        self._config = config
        self._codes: Iterator[int] = iter(())
        """Of the client's examples, or of those that the source says to train on."""

    @property
    def needs_sizes(self) -> bool:
        return self._config.rule in ("by_example", "by_order") or self._config.validation_share > 0

    def start_client(self, client_id: str, size: int, shipped_train: int = 0) -> None:
        """`size` and how much of it the source says to train on matter only if `needs_sizes`."""
        config = self._config
        if config.rule == "none":
            self._codes = itertools.repeat(TRAIN)
        elif config.rule == "by_client":
            draw = randomness.key(config.seed, "split_client", client_id) / 2**63
            code = int(np.searchsorted(np.cumsum(config.fractions)[:2], draw, "right"))
            self._codes = itertools.repeat(code)
        elif config.validation_share:
            shares = (1 - config.validation_share, config.validation_share, 0.0)
            codes = np.repeat(np.arange(3), split_sizes(shipped_train, shares))
            generator = randomness.generator(config.seed, "split_validation", client_id)
            self._codes = iter(generator.permutation(codes).tolist())
        elif self.needs_sizes:
            codes = np.repeat(np.arange(3), split_sizes(size, config.fractions))
            if config.rule == "by_example":
                codes = randomness.generator(config.seed, "split_example", client_id).permutation(
                    codes
                )
            self._codes = iter(codes.tolist())

    def code(self, order: int, source_code: int) -> int:
        """0 train, 1 validation, 2 test: of the client's next example."""
        config = self._config
        if config.rule == "by_cutoff":
            passed = sum(order >= cutoff for cutoff in config.cutoffs)
            return TEST if passed == len(config.cutoffs) else passed
        drawn = config.rule != "source" or (config.validation_share and source_code == TRAIN)
        return next(self._codes) if drawn else source_code


def split_sizes(size: int, fractions: tuple[float, float, float]) -> np.ndarray:
    """Whole numbers near the shares, adding up to `size`; train gets at least one."""
    bounds = np.floor(np.cumsum(fractions) * size + 0.5).astype(np.int64)
    bounds[2] = size
    bounds[0] = max(bounds[0], min(size, 1))
    bounds[1] = min(max(bounds[1], bounds[0]), size)
    return np.diff(bounds, prepend=0)
