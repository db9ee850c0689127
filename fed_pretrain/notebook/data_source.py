"""Clients as the data source of a program of TFF's.

TFF's own `DatasetDataSource` holds datasets, and `train_model` copies its source every round, which
a dataset of TensorFlow 2.14 refuses.
"""

import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from data_prep.store.reader import open_dataset
from fed_pretrain.algorithms import batched_clients
from fed_pretrain.tasks import known_tasks
from groundwork import randomness
from groundwork.untyped import Json, Nested, Process, TffType


class ClientSource(tff.program.FederatedDataSource):
    """Draws clients without replacement; each brings its examples once, in batches."""

    def __init__(self, dataset: str, task: str, process: Process, batch_size: int, seed: int):
        self._federated_type = process.next.type_signature.parameter[1]
        self._place = {"dataset": dataset, "task": task, "batch_size": batch_size, "seed": seed}

    @property
    def federated_type(self) -> TffType:
        return self._federated_type

    @property
    def capabilities(self) -> list[Nested]:
        return [tff.program.Capability.RANDOM_UNIFORM]

    def iterator(self) -> "ClientIterator":
        return ClientIterator(self._place, self._federated_type)


class ClientIterator(tff.program.FederatedDataSourceIterator):
    """`select` is a function of the seed and of how often it was called."""

    def __init__(self, place: dict[str, Json], federated_type: TffType, drawn: int = 0) -> None:
        self._place, self._federated_type, self._drawn = place, federated_type, drawn
        dataset = open_dataset(place["dataset"])
        self._reader = known_tasks.load(place["task"], dataset).reader("train")

    @property
    def federated_type(self) -> TffType:
        return self._federated_type

    def __deepcopy__(self, memo: Nested) -> "ClientIterator":
        return ClientIterator(self._place, self._federated_type, self._drawn)

    def to_bytes(self) -> bytes:
        return json.dumps({"place": self._place, "drawn": self._drawn}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ClientIterator":
        held = json.loads(data)
        return cls(held["place"], None, held["drawn"])

    def select(self, k: int | None = None) -> Sequence[tf.data.Dataset]:
        self._drawn += 1
        generator = randomness.generator(self._place["seed"], "program", self._drawn)
        ids = self._reader.client_ids
        chosen = generator.choice(len(ids), k or len(ids), replace=False)
        return [self._batches(ids[int(number)]) for number in chosen]

    def _batches(self, client_id: str) -> tf.data.Dataset:
        rows = self._reader.rows(client_id)
        batch = self._place["batch_size"]
        element = None if self._federated_type is None else self._federated_type.member.element
        if element is None:
            return tf.data.Dataset.from_tensor_slices(rows).batch(batch)
        specs = batched_clients.specs_of(element)
        values = [
            np.reshape(value, [-1, *spec.shape[1:]]).astype(spec.dtype.as_numpy_dtype)
            for value, spec in zip(rows, tf.nest.flatten(specs), strict=True)
        ]
        packed = tf.nest.pack_sequence_as(specs, values)
        return tf.data.Dataset.from_tensor_slices(packed).batch(batch)
