"""How much all clients of a split hold together."""

import numpy as np

from fed_pretrain.clients.client_reader import ClientReader

SAMPLE = 100


def count_rows(reader: ClientReader, max_examples: int | None = None) -> int:
    """The rows of all clients, each with its first `max_examples` stored examples.

    The index counts examples. An encoder may make more rows of one, or fewer: how many, evenly
    spaced clients say, up to SAMPLE of them.
    """
    index = reader.dataset.index(reader.split)
    examples = index.num_examples
    if max_examples is not None:
        examples = np.minimum(examples, max_examples)
    sample = np.unique(np.linspace(0, len(examples) - 1, SAMPLE).round().astype(int))
    rows = sum(len(reader.fresh_rows(index.client_ids[i], max_examples)[0]) for i in sample)
    return round(rows * int(examples.sum()) / max(1, int(examples[sample].sum())))
