"""Should clients use a pre-trained function instead of federated averaging? One table.

The start as it is, the start fine-tuned by every client alone, by one server on all clients' rows,
and, of a run, the federated model as it is and fine-tuned by every client: judged on the clients'
own held-out rows, with the bytes each way of training would have sent.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fed_pretrain.algorithms import local_fine_tuning
from fed_pretrain.algorithms.local_fine_tuning import FineTuning, Rows, held_out_payload
from fed_pretrain.clients.client_reader import ClientReader
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.assembly.assemble import TRAIN_SPLIT, Assembly
from fed_pretrain.experiment.workdir.checkpoints import ModelArrays

POOLED = "all clients"


def measure(
    assembly: Assembly,
    federated: ModelArrays | None,
    federated_bytes: tuple[int, int],
    epochs: int,
    max_clients: int | None = None,
) -> dict[str, Any]:
    """The content of baselines.json; `federated` is a run's model and what it sent so far."""
    config, task = assembly.config.algorithm, assembly.task
    work = LocalWork(assembly.work.batch_size, epochs, max_examples=assembly.work.max_examples)
    tuning = FineTuning(
        task.model_fn(assembly.start.build_model),
        task.payload_spec(work.batch_size),
        task,
        config.client_learning_rate,
    )
    reads = _Reads(assembly, work, max_clients)
    start = ModelArrays(*assembly.start.weights)
    model_bytes = assembly.start.report.trainable_bytes + assembly.start.report.frozen_bytes
    alone = local_fine_tuning.fine_tune(
        "start, fine-tuned by each client",
        tuning,
        assembly.executor,
        start,
        reads.each(),
        model_bytes,
    )
    pooled, data_bytes = reads.pooled()
    central = local_fine_tuning.train_centrally(
        tuning, assembly.executor, start, pooled, len(reads.client_ids), data_bytes
    )
    rows = [_as_it_is("start", alone.before, alone.bytes_down, 0), _row(alone), _row(central)]
    if federated is not None:
        personal = local_fine_tuning.fine_tune(
            "federated, fine-tuned by each client",
            tuning,
            assembly.executor,
            federated,
            reads.each(),
            model_bytes,
        )
        down, up = federated_bytes
        rows.append(_as_it_is("federated", personal.before, down, up))
        rows.append({**_row(personal), "bytes_down": down + personal.bytes_down, "bytes_up": up})
    return {
        "rows": [{**task.summarise(row.pop("sums")), **row} for row in rows],
        "clients": len(reads.client_ids),
        "epochs": epochs,
        "client_learning_rate": config.client_learning_rate,
        "unit": "mean loss in nats and accuracy over all clients' own held-out rows",
    }


def table(content: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"{'':40} {'accuracy':>9} {'loss':>9} {'MB down':>9} {'MB up':>9}"]
    for row in content["rows"]:
        lines.append(
            f"{row['name']:40} {row['accuracy']:9.4f} {row['loss']:9.4f}"
            f" {row['bytes_down'] / 1e6:9.1f} {row['bytes_up'] / 1e6:9.1f}"
        )
    return "\n".join(lines)


def _as_it_is(name: str, sums: Mapping[str, float], down: int, up: int) -> dict[str, Any]:
    return {"name": name, "sums": dict(sums), "bytes_down": down, "bytes_up": up}


def _row(result: local_fine_tuning.Result) -> dict[str, Any]:
    return _as_it_is(result.name, result.after, result.bytes_down, result.bytes_up)


class _Reads:
    """Clients that have both training rows and held-out rows of their own."""

    def __init__(self, assembly: Assembly, work: LocalWork, max_clients: int | None) -> None:
        self._train = assembly.task.reader(TRAIN_SPLIT)
        self._held = assembly.task.reader(assembly.config.evaluation.eval_split)
        self._work = work
        self._seed = assembly.config.seed
        held = set(self._held.client_ids)
        both = [name for name in self._train.client_ids if name in held]
        self.client_ids: list[str] = both[:max_clients]

    def each(self) -> list[ClientInput]:
        return [
            ClientInput(name, functools.partial(_read, self._pair, name, self._work, self._seed))
            for name in self.client_ids
        ]

    def pooled(self) -> tuple[ClientInput, int]:
        """All of them as one client, and the bytes of their training rows."""
        train = local_fine_tuning.pool(
            [self._pair[0].rows(n, self._limit) for n in self.client_ids]
        )
        held = local_fine_tuning.pool([self._pair[1].rows(n, self._limit) for n in self.client_ids])
        read = functools.partial(_pooled, train, held, self._work, self._seed)
        return ClientInput(POOLED, read), int(train[0].nbytes + train[1].nbytes)

    @property
    def _pair(self) -> tuple[ClientReader, ClientReader]:
        return self._train, self._held

    @property
    def _limit(self) -> int | None:
        return self._work.max_examples


def _read(
    readers: Sequence[ClientReader], client_id: str, work: LocalWork, seed: int
) -> Mapping[str, np.ndarray]:
    train, held = (reader.rows(client_id, work.max_examples) for reader in readers)
    return held_out_payload(train, held, work, seed, client_id)


def _pooled(train: Rows, held: Rows, work: LocalWork, seed: int) -> Mapping[str, np.ndarray]:
    return held_out_payload(train, held, work, seed, POOLED)
