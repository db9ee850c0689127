"""Which training examples a curvature probe looks at: a draw in proportion to client size."""

import functools
import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from fed_pretrain.clients.client_reader import ClientReader, Index, Payload, Rows
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload
from fed_pretrain.executors.executor import ClientInput
from groundwork import randomness

_GRAIN = 4
# Each input costs milliseconds whatever it holds, and a kernel gains little from more rows.
_POOLED = 64


Drawn = tuple[tuple[str, tuple[int, ...]], ...]
"""Clients with the positions of their drawn examples."""


@dataclass(frozen=True)
class Sample:
    """Clients with the drawn examples of each; `examples` counts them all."""

    clients: Drawn
    examples: int
    seed: int


def draw(index: Index, examples: int | None, seed: int) -> Sample:
    """`examples` of all clients' pooled examples without replacement (None: every one).

    Each pooled example is equally likely, so a client counts in proportion to its size.
    """
    ends = np.cumsum(index.num_examples)
    total = int(ends[-1])
    if examples is None or examples >= total:
        chosen = np.arange(total)
    else:
        generator = randomness.generator(seed, "curvature")
        chosen = np.sort(generator.choice(total, examples, replace=False))
    owners = np.searchsorted(ends, chosen, side="right")
    starts = ends - index.num_examples
    clients = []
    for owner in np.unique(owners):
        own = chosen[owners == owner] - starts[owner]
        clients.append((str(index.client_ids[owner]), tuple(int(row) for row in own)))
    return Sample(tuple(clients), len(chosen), seed)


def of_client(index: Index, client_id: str, examples: int | None, seed: int) -> Sample:
    """At most this many of one client's examples, without replacement."""
    size = int(index.num_examples[index.position(client_id)])
    rows = np.arange(size)
    if examples is not None and examples < size:
        generator = randomness.generator(seed, "client_curvature", client_id)
        rows = np.sort(generator.choice(size, examples, replace=False))
    return Sample(((client_id, tuple(int(row) for row in rows)),), len(rows), seed)


def inputs(reader: ClientReader, sample: Sample, micro_batch: int) -> list[ClientInput]:
    """The sample's clients as an executor takes them; each reads its own data where it works."""
    return [
        ClientInput(client_id, functools.partial(_read, reader, client_id, rows, micro_batch))
        for client_id, rows in sample.clients
    ]


def pooled(reader: ClientReader, sample: Sample, micro_batch: int) -> list[ClientInput]:
    """The same examples in few inputs, for sums over them all: small clients are read as one.

    Rows whose length is their own cannot be, and stay by client.
    """
    most = min(micro_batch, _POOLED) if _of_one_shape(reader) else 0
    return [
        ClientInput(group[0][0], functools.partial(_read_together, reader, group, micro_batch))
        for group in _groups(sample.clients, most)
    ]


def _of_one_shape(reader: ClientReader) -> bool:
    return None not in (*reader.encoder.x_shape, *reader.encoder.y_shape)


def _groups(clients: Drawn, most: int) -> list[Drawn]:
    """Neighbours with at most this many rows together; a larger client by itself."""
    groups: list[Drawn] = []
    size = 0
    for client in clients:
        rows = len(client[1])
        if groups and size + rows <= most:
            groups[-1] += (client,)
            size += rows
        else:
            groups.append((client,))
            size = rows
    return groups


def _read_together(reader: ClientReader, group: Drawn, micro_batch: int) -> Payload:
    rows = [_rows(reader, client_id, examples) for client_id, examples in group]
    x, y = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    work = LocalWork(even_batch(len(x), micro_batch), shuffle=False)
    return make_payload(x, y, work, 0, 0, group[0][0])


def _read(
    reader: ClientReader, client_id: str, examples: tuple[int, ...], micro_batch: int
) -> Payload:
    x, y = _rows(reader, client_id, examples)
    work = LocalWork(even_batch(len(x), micro_batch), shuffle=False)
    return make_payload(x, y, work, 0, 0, client_id)


def _rows(reader: ClientReader, client_id: str, examples: tuple[int, ...]) -> Rows:
    """Every product reads every client: these are held within the reader's bound of memory."""
    return reader.cache.get(
        (reader.split, client_id, examples),
        functools.partial(_fresh_rows, reader, client_id, examples),
    )


def _fresh_rows(reader: ClientReader, client_id: str, examples: tuple[int, ...]) -> Rows:
    features = reader.dataset.read_client(reader.split, client_id)
    chosen = {name: tf.gather(values, list(examples)) for name, values in features.items()}
    x, y = reader.encoder.encode(chosen)
    return np.ascontiguousarray(x), np.ascontiguousarray(y, dtype=reader.encoder.y_dtype)


def even_batch(rows: int, most: int) -> int:
    """At most `most` rows a step, in the fewest steps, and so that these are about equally full.

    Inputs are never mixed, so a batch for all would be mostly padding for the small ones. Above
    `_GRAIN` rows it is a multiple of it: compilers that want fixed shapes meet few.
    """
    if rows <= min(_GRAIN, most):
        return max(rows, 1)
    even = math.ceil(rows / math.ceil(rows / most))
    return min(most, math.ceil(even / _GRAIN) * _GRAIN)
