"""Proxy data: rows of a prepared dataset's train split, pooled for central pre-training.

Only the split `train` is ever read; the rows that stop the training early are a keyed share of it.
So no client's evaluation data can be in a start that comes from here.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from fed_pretrain.clients.client_reader import Index
from fed_pretrain.clients.encoder import padding_of
from fed_pretrain.starts.origins import proxy_origin
from fed_pretrain.tasks.task import Task
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.untyped import Json

SPLIT = "train"
MOST_EXAMPLES = 5_000_000


@dataclasses.dataclass(frozen=True)
class Proxy:
    """Rows to train on and rows to validate on; `facts` go into the checkpoint."""

    x: np.ndarray
    y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray
    client_ids: tuple[str, ...]
    facts: dict[str, Json]

    def steps_an_epoch(self, batch_size: int) -> int:
        return -(-len(self.x) // batch_size)

    def batch(self, step: int, batch_size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a step, a pure function of (seed, step); short batches are padded with -1."""
        epoch, place = divmod(step, self.steps_an_epoch(batch_size))
        order = _order(len(self.x), seed, epoch)
        rows = order[place * batch_size : (place + 1) * batch_size]
        padding = np.zeros(batch_size - len(rows), dtype=rows.dtype)
        x, y = self.x[np.concatenate([rows, padding])], self.y[np.concatenate([rows, padding])]
        y[len(rows) :] = padding_of(y.dtype.name)
        return x, y


@functools.lru_cache(maxsize=2)
def _order(rows: int, seed: int, epoch: int) -> np.ndarray:
    return randomness.generator(seed, "pretrain order", epoch).permutation(rows)


def group(client_ids: Sequence[str], share: float, seed: int) -> list[str]:
    """The clients whose key falls below `share`: the same group whoever else is there."""
    if share >= 1.0:
        return list(client_ids)
    return [c for c in client_ids if randomness.key(seed, "proxy clients", c) < share * 2**63]


def pool(task: Task, share: float, max_examples: int | None, validation: float, seed: int) -> Proxy:
    """Reads and encodes the proxy clients in the dataset's order."""
    index = task.dataset.index(SPLIT) if SPLIT in task.dataset.splits else None
    if index is None:
        raise UserError(f"--dataset={task.dataset.path}: it has no split {SPLIT!r} to learn from")
    client_ids = group(index.client_ids, share, seed)
    if not client_ids:
        raise UserError(f"--proxy_clients={share:g} leaves no client of {len(index.client_ids)}")
    _check_size(index, client_ids, max_examples)
    x, y, read = _rows(task, client_ids, max_examples)
    held_out = round(len(x) * validation)
    if held_out == 0 or held_out == len(x):
        raise UserError(
            f"--validation_share={validation:g} of {len(x)} rows leaves nothing to "
            f"{'validate' if held_out == 0 else 'train'} on"
        )
    order = randomness.generator(seed, "pretrain validation").permutation(len(x))
    first, rest = np.sort(order[:held_out]), np.sort(order[held_out:])
    facts = {
        "task": task.name,
        "dataset_fingerprint": task.dataset.fingerprint,
        "source": proxy_origin.source_of(task.dataset),
        "split": SPLIT,
        "split_rule": proxy_origin.split_rule(task.dataset),
        "clients": len(read),
        "clients_of": len(index.client_ids),
        "rows": len(rest),
        "validation_rows": held_out,
        "evaluation_data_read": False,
    }
    return Proxy(x[rest], y[rest], x[first], y[first], tuple(read), facts)


def _rows(
    task: Task, client_ids: Sequence[str], max_examples: int | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    reader = task.reader(SPLIT)
    index = task.dataset.index(SPLIT)
    xs, ys, read = [], [], []
    left = max_examples
    for client_id in client_ids:
        if left is not None and left <= 0:
            break
        x, y = reader.fresh_rows(client_id, left)
        if left is not None:
            left -= int(index.num_examples[index.position(client_id)])
        xs.append(x)
        ys.append(y)
        read.append(client_id)
    return np.concatenate(xs), np.concatenate(ys), read


def _check_size(index: Index, client_ids: Sequence[str], max_examples: int | None) -> None:
    examples = sum(int(index.num_examples[index.position(c)]) for c in client_ids)
    if max_examples is None and examples > MOST_EXAMPLES:
        raise UserError(
            f"the proxy clients have {examples:,} examples, which are held in memory: give "
            "--proxy_examples or a smaller --proxy_clients"
        )
