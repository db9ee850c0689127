"""TFF as its tutorials use it: default builder, default context, `FilePerUserClientData`."""

import gc
import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from benchmarks.rounds import workload
from benchmarks.rounds.contestant import Contestant, Weights
from benchmarks.rounds.workload import BATCH, RATE


class Stock(Contestant):
    def __init__(self, model: str, cohort: int) -> None:
        self._process = _process(model)
        self._context: Any = tff.backends.native.create_sync_local_cpp_execution_context()
        self._folder = tempfile.TemporaryDirectory()
        files = {str(i): _write_client(self._folder.name, model, i) for i in range(cohort)}
        clients = tff.simulation.datasets.FilePerUserClientData(files, _parser(model))
        self._data = [clients.create_tf_dataset_for_client(i) for i in clients.client_ids]
        with self._installed():
            self._first = self._process.initialize()

    def restart(self, weights: Weights) -> None:
        start = tff.learning.models.ModelWeights(weights, [])
        with self._installed():
            self._state = self._process.set_model_weights(self._first, start)

    def round(self) -> None:
        with self._installed():
            self._state = self._process.next(self._state, self._data).state

    def weights(self) -> Weights:
        return [np.asarray(w) for w in self._state.global_model_weights.trainable]

    def close(self) -> None:
        self._context = None  # TFF ends its worker when the context is collected
        gc.collect()
        self._folder.cleanup()

    def _installed(self) -> Any:
        return tff.framework.get_context_stack().install(self._context)


def _process(model: str) -> Any:
    def model_fn() -> Any:
        return tff.learning.models.from_keras_model(
            workload.build_model(model),
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            input_spec=workload.row_spec(model),
            metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
        )

    optimizers = tff.learning.optimizers
    return tff.learning.algorithms.build_weighted_fed_avg(
        model_fn, optimizers.build_sgdm(RATE), optimizers.build_sgdm(1.0)
    )


def _write_client(folder: str, model: str, client: int) -> str:
    path = os.path.join(folder, f"{client}.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for x, y in zip(*workload.client_rows(model, client), strict=True):
            feature = {
                "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[x.tobytes()])),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(y)])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return path


def _parser(model: str) -> Callable[[str], tf.data.Dataset]:
    x, _ = workload.row_spec(model)
    shape, dtype = [int(d) for d in x.shape[1:]], x.dtype
    features = {"x": tf.io.FixedLenFeature([], tf.string), "y": tf.io.FixedLenFeature([], tf.int64)}

    def example(record: Any) -> Any:
        found = tf.io.parse_single_example(record, features)
        row = tf.reshape(tf.io.decode_raw(found["x"], dtype), shape)
        return row, tf.cast(found["y"], tf.int32)

    return lambda path: tf.data.TFRecordDataset(path).map(example).batch(BATCH)
