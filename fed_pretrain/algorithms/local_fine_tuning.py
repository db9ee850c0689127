"""Training without averaging: what a start gives when clients, or one server, are left alone.

- local fine-tuning: every client fine-tunes the start on its own training rows, nothing is sent up;
- personalised fine-tuning: the same from a federated model;
- central training: all rows in one place, by the same SGD.

Each is judged on the clients' own evaluation rows, weighted by examples, with the bytes it would
have sent, so that they share a table with federated averaging.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms.client_updates.local_optimizers import LocalSettings
from fed_pretrain.algorithms.client_updates.local_training import (
    STATISTICS,
    LocalTraining,
)
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.payload import make_payload, payload_of
from fed_pretrain.models.tracing import Traced
from fed_pretrain.tasks.objective import Loss
from groundwork.untyped import Client, Computation, Nested, Spec, TffModel, Weights

Rows = tuple[np.ndarray, np.ndarray]


class MapsClients(Protocol):
    """The part of an executor that fine-tuning needs."""

    def map_clients(
        self, computation: Computation, value: Nested, clients: Sequence[Client]
    ) -> Iterator[Nested]: ...


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """Sums over all clients, before and after, and what was moved; `each`: of every client."""

    name: str
    before: dict[str, float]
    after: dict[str, float]
    clients: int
    bytes_down: int
    bytes_up: int
    each: Sequence[Mapping[str, Mapping[str, float]]] = ()


class FineTuning:
    """`computation(weights, payload)` fine-tunes on `order` and evaluates on the held-out rows.

    A payload has the training rows as everywhere, and beside them `held_x`, `held_y` (rows the
    client never trains on) and `held_order`, which takes each of those once.
    """

    def __init__(
        self,
        model_fn: Callable[[], TffModel],
        payload_spec: Spec,
        objective: Loss | None,
        learning_rate: float,
        settings: LocalSettings | None = None,
    ) -> None:
        self._payload_spec = payload_spec
        with tf.Graph().as_default():
            weights_type = tff.learning.models.weights_type_from_model(model_fn())
        spec = collections.OrderedDict(
            payload_spec,
            held_x=payload_spec["x"],
            held_y=payload_spec["y"],
            held_order=payload_spec["order"],
        )
        payload_type = tff.SequenceType(tff.types.tensorflow_to_type(spec))

        @tff.tensorflow.computation(weights_type, payload_type)
        def computation(weights: Nested, data: Nested) -> Nested:
            payload = payload_of(data)
            training = LocalTraining(model_fn, objective, settings or LocalSettings())

            @Traced
            def tune(weights: Nested, payload: Nested) -> Nested:
                training.prepare(weights, payload, tf.constant([learning_rate] * 2))
                before = training.evaluate(_held(payload))
                training.descend()
                after = training.evaluate(_held(payload))
                return collections.OrderedDict(before=before, after=after)

            return tune(weights, payload)

        self.computation = computation


def held_out_payload(
    train: Rows, held_out: Rows, work: LocalWork, seed: int, client_id: str
) -> "collections.OrderedDict[str, np.ndarray]":
    """What a client brings to `FineTuning.computation`."""
    payload = make_payload(*train, work, seed, 0, client_id)
    once = make_payload(*held_out, LocalWork(work.batch_size, shuffle=False), seed, 0, client_id)
    payload["held_x"], payload["held_y"] = held_out
    payload["held_order"] = once["order"]
    return payload


def fine_tune(
    name: str,
    tuning: FineTuning,
    executor: MapsClients,
    weights: Weights,
    clients: Sequence[Client],
    model_bytes: int,
) -> FineTuned:
    """Fine-tunes `weights` on each client by itself; `clients` read `held_out_payload(...)`.

    Each client downloads the model once and sends nothing.
    """
    each = [_numbers(found) for found in executor.map_clients(tuning.computation, weights, clients)]
    sums, down = _added(each), model_bytes * len(clients)
    return FineTuned(name, sums["before"], sums["after"], len(clients), down, 0, each)


def train_centrally(
    tuning: FineTuning,
    executor: MapsClients,
    weights: Weights,
    pooled: Nested,
    clients: int,
    data_bytes: int,
) -> FineTuned:
    """SGD on all clients' rows in one place; `pooled` is one ClientInput that reads them all.

    What is sent is the data: up once, and no model at all.
    """
    found = executor.map_clients(tuning.computation, weights, [pooled])
    sums = _added(map(_numbers, found))
    return FineTuned("central", sums["before"], sums["after"], clients, 0, data_bytes)


def pool(rows: Sequence[Rows]) -> Rows:
    """All clients' rows as one client's."""
    return np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows])


def _held(payload: Nested) -> Nested:
    return collections.OrderedDict(
        x=payload["held_x"], y=payload["held_y"], order=payload["held_order"]
    )


def _numbers(result: Nested) -> dict[str, dict[str, float]]:
    return {
        when: {name: float(result[when][name]) for name in STATISTICS}
        for when in ("before", "after")
    }


def _added(results: Iterable[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    total = {when: dict.fromkeys(STATISTICS, 0.0) for when in ("before", "after")}
    for result in results:
        for when, sums in total.items():
            for name in STATISTICS:
                sums[name] += result[when][name]
    return total
