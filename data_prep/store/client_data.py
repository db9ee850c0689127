"""A split as TensorFlow Federated's own `ClientData`, read from the shards without a copy."""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_prep.store.index import ClientIndex
from groundwork import libraries
from groundwork.untyped import Leaf

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_federated as tff

_LENGTH_BYTES, _HEADER_BYTES, _FOOTER_BYTES = 8, 12, 4


def of_split(
    index: ClientIndex,
    shards: Sequence[tuple[str, int]],
    parse: "Callable[[tf.Tensor], Mapping[str, Leaf]]",
    client_feature: str,
) -> "tff.simulation.datasets.ClientData":
    """The clients of an index as plain TensorFlow ops, so that any TFF runtime can read them.

    `shards` are the files with their sizes; `parse` stacks serialised examples; a feature of the
    name `client_feature`, if there is one, is the client's id. TensorFlow has no op for the
    records' checksums: `python -m data_prep.verify` checks them all.
    """
    libraries.prepare()
    import tensorflow as tf
    import tensorflow_federated as tff

    ids = index.client_ids
    files = [file for file, _ in shards]
    rest = np.array([size for _, size in shards])[index.shards] - index.offsets - index.lengths

    def dataset(client_id: "tf.Tensor") -> "tf.data.Dataset":
        rows = tf.lookup.KeyValueTensorInitializer(ids, tf.range(len(ids), dtype=tf.int64))
        key = tf.convert_to_tensor(client_id)
        row = tf.lookup.StaticHashTable(rows, default_value=-1).lookup(key)
        whole = tf.data.FixedLengthRecordDataset(
            tf.gather(files, tf.gather(index.shards, row)),
            record_bytes=tf.gather(index.lengths, row),
            header_bytes=tf.gather(index.offsets, row),
            footer_bytes=tf.gather(rest, row),
        )
        examples = tf.gather(index.num_examples, row)

        def stacked(framed: "tf.Tensor") -> Mapping[str, Leaf]:
            # TFF's types tell a dict from an OrderedDict, and its own data sets give the latter.
            features = collections.OrderedDict(parse(_records(framed, examples)))
            if client_feature:
                features[client_feature] = tf.fill([examples], key)
            return features

        return whole.map(stacked).unbatch()

    return tff.simulation.datasets.ClientData.from_clients_and_tf_fn(ids, dataset)


def _records(framed: "tf.Tensor", examples: "tf.Tensor") -> "tf.Tensor":
    """The records of a client's bytes, without their frames."""
    import tensorflow as tf

    def step(
        number: "tf.Tensor", position: "tf.Tensor", found: "tf.TensorArray"
    ) -> "tuple[tf.Tensor, tf.Tensor, tf.TensorArray]":
        prefix = tf.strings.substr(framed, position, _LENGTH_BYTES)
        length = tf.io.decode_raw(prefix, tf.int64)[0]
        start = position + _HEADER_BYTES
        found = found.write(tf.cast(number, tf.int32), tf.strings.substr(framed, start, length))
        return number + 1, start + length + _FOOTER_BYTES, found

    zero = tf.constant(0, tf.int64)
    empty = tf.TensorArray(tf.string, tf.cast(examples, tf.int32), element_shape=())
    _, _, found = tf.while_loop(lambda number, *_: number < examples, step, (zero, zero, empty))
    return found.stack()
