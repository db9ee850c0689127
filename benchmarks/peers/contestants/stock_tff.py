"""TFF as its tutorials use it: default builder, default context, `FilePerUserClientData`."""

import functools
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks.peers import keras_work, work

given = work.given()
gate = work.Gate()
SHAPES, TYPES = zip(*((s.shape[1:], s.dtype) for s in keras_work.spec(given.model)), strict=True)
PARTS = {name: tf.io.FixedLenFeature([], tf.string) for name in ("x", "y")}


def write(path, x, y):
    with tf.io.TFRecordWriter(path) as writer:
        for row in zip(x, y, strict=True):
            parts = (tf.train.BytesList(value=[value.tobytes()]) for value in row)
            named = zip(PARTS, parts, strict=True)
            feature = {name: tf.train.Feature(bytes_list=part) for name, part in named}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def parse(record):
    found = tf.io.parse_single_example(record, PARTS)
    values = zip(PARTS, SHAPES, TYPES, strict=True)
    return {name: tf.reshape(tf.io.decode_raw(found[name], t), s) for name, s, t in values}


def dataset(path):
    return tf.data.TFRecordDataset(path).map(parse).batch(given.batch)


optimizers = tff.learning.optimizers
process = tff.learning.algorithms.build_weighted_fed_avg(
    functools.partial(keras_work.tff_model, given.model),
    optimizers.build_sgdm(given.rate),
    optimizers.build_sgdm(1.0),
)
folder = tempfile.mkdtemp(dir=os.path.dirname(os.environ["PEERS_WEIGHTS"]))
files = {str(i): os.path.join(folder, str(i)) for i in range(len(given.clients))}
for file, rows in zip(files.values(), given.clients, strict=True):
    write(file, *rows)
clients = tff.simulation.datasets.FilePerUserClientData(files, dataset)
data = [clients.create_tf_dataset_for_client(client) for client in files]
begin = tff.learning.models.ModelWeights(list(given.weights.values()), [])
state = process.set_model_weights(process.initialize(), begin)
while True:
    gate.begin()
    state = process.next(state, data).state
    trained = map(np.asarray, state.global_model_weights.trainable)
    gate.end(lambda found=trained: dict(zip(given.weights, found, strict=True)))
