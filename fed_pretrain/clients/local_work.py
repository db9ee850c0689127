"""What a client does in a round, written as an order: which of its rows each local step uses.

Epochs, shuffling, an exact number of steps and a deadline are all the same array to the device:
`order[step, slot]` is a row of the client, or -1 where the batch is padded.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from groundwork import randomness

PADDING_ROW = -1
TRAIN_SPLIT = "train"


@dataclasses.dataclass(frozen=True)
class LocalWork:
    """The local work of one client in one round.

    epochs: passes over the client's rows; the last batch of a pass may be partial.
    steps: exactly this many steps instead, passing over the rows as often as that takes.
    max_steps: a deadline: work beyond this many steps is not done.
    max_examples: only this many of the client's stored examples, the first, exist for this run.
    """

    batch_size: int
    epochs: int = 1
    steps: int | None = None
    max_steps: int | None = None
    max_examples: int | None = None
    shuffle: bool = True

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, must be at least 1")
        for name in ("epochs", "steps", "max_steps", "max_examples"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is {value}, must not be negative")

    def num_steps(self, rows: int) -> int:
        """How many steps this work takes on a client with `rows` rows."""
        if rows == 0:
            return 0
        wanted = self.steps
        if wanted is None:
            wanted = self.epochs * math.ceil(rows / self.batch_size)
        return wanted if self.max_steps is None else min(wanted, self.max_steps)


def make_order(
    rows: int, work: LocalWork, seed: int, round_number: int, client_id: str
) -> np.ndarray:
    """The int32 [steps, batch_size] order of a client's work, a pure function of its arguments.

    More epochs, more steps or a later deadline only append to the order of less work.
    """
    steps = work.num_steps(rows)
    order = np.full((steps, work.batch_size), PADDING_ROW, dtype=np.int32)
    steps_an_epoch = math.ceil(rows / work.batch_size) if rows else 0
    generator = randomness.generator(seed, "order", round_number, client_id)
    for first in range(0, steps, max(steps_an_epoch, 1)):
        epoch = generator.permutation(rows) if work.shuffle else np.arange(rows)
        padded = np.full(steps_an_epoch * work.batch_size, PADDING_ROW, dtype=np.int32)
        padded[:rows] = epoch
        batches = padded.reshape(steps_an_epoch, work.batch_size)
        last = min(first + steps_an_epoch, steps)
        order[first:last] = batches[: last - first]
    return order
