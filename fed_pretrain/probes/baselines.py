"""Should clients use a pre-trained function instead of federated averaging? One table.

The start as it is, with a head from one pass over the clients, fine-tuned by every client alone, by
one server on all clients' rows, and, of a run, the federated model as it is and fine-tuned by every
client: judged on the clients' own held-out rows, with the bytes each way would have sent.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT, LocalWork
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fed_pretrain.algorithms.local_fine_tuning import FineTuned, Rows
    from fed_pretrain.clients.client_reader import ClientReader
    from fed_pretrain.tasks.task import Task

POOLED = "all clients"
ONE_PASS = "one-pass head (ridge), 0 rounds"


@dataclasses.dataclass(frozen=True)
class BaselineOptions:
    epochs: int = dataclasses.field(
        default=5,
        metadata={
            "help": "Of baselines: local passes without any averaging.",
            "flag": "baseline_epochs",
            "lower_bound": 1,
        },
    )


class Baselines(Probe):
    """Fine-tuning without averaging, of the start and (with --run) of the federated model."""

    name = "baselines"
    help = "fine-tuning without averaging and central training, with the bytes each would send"
    options = (BaselineOptions,)

    def measure(self) -> Content:
        content = compared(self.subject)
        print(table(content))
        return content

    @staticmethod
    def draw(content: Mapping[str, Json]) -> Figure:
        """Accuracy, with what each way of training would have sent."""
        from fed_pretrain.probes import drawing

        rows = content["rows"]
        made, plots = drawing.panels(1, 1, width=7.6, height=0.45 * len(rows) + 1.2)
        plot = plots[0, 0]
        drawn = plot.barh(
            [row["name"] for row in rows],
            drawing.numbers([row["accuracy"] for row in rows]),
            color=drawing.COLOURS[0],
        )
        sent = [(row["bytes_down"] + row["bytes_up"]) / 1e6 for row in rows]
        plot.bar_label(drawn, [f" {one:,.1f} MB sent" for one in sent], fontsize="small")
        plot.invert_yaxis()
        plot.set(xlabel="accuracy on the clients' own held-out rows", xlim=(0, 1.25))
        plot.set_xticks([0, 0.25, 0.5, 0.75, 1])
        return made


def compared(subject: Subject) -> Content:
    """The content of baselines.json; the federated model is there after rounds of a run."""
    from fed_pretrain.algorithms import local_fine_tuning

    task, executor, epochs = subject.task, subject.executor, subject.option(BaselineOptions).epochs
    work = LocalWork(subject.work.batch_size, epochs, max_examples=subject.work.max_examples)
    tuning = local_fine_tuning.FineTuning(
        task.model_fn(subject.build_model),
        task.payload_spec(work.batch_size),
        task,
        subject.client_learning_rate,
    )
    reads = _Reads(subject, work)
    start, size = subject.start.weights, subject.model_bytes
    alone = local_fine_tuning.fine_tune(
        "start, fine-tuned by each client", tuning, executor, start, reads.each(), size
    )
    pooled, data_bytes = reads.pooled()
    central = local_fine_tuning.train_centrally(
        tuning, executor, start, pooled, len(reads.client_ids), data_bytes
    )
    rows = [_as_it_is("start", alone, alone.bytes_down), _row(alone), _row(central)]
    one_pass = subject.one_pass()
    if one_pass is not None:
        judged = local_fine_tuning.fine_tune(
            ONE_PASS,
            tuning,
            executor,
            one_pass.weights,
            _Reads(subject, dataclasses.replace(work, epochs=0)).each(),
            size,
        )
        rows.append(_as_it_is(ONE_PASS, judged, one_pass.bytes_down, one_pass.bytes_up))
    if subject.snapshots:
        personal = local_fine_tuning.fine_tune(
            "federated, fine-tuned by each client",
            tuning,
            executor,
            subject.model.weights,
            reads.each(),
            size,
        )
        down, up = subject.sent()
        rows.append(_as_it_is("federated", personal, down, up))
        rows.append({**_row(personal), "bytes_down": down + personal.bytes_down, "bytes_up": up})
    return {
        "rows": [_summarised(task, row) for row in rows],
        "clients": len(reads.client_ids),
        "epochs": epochs,
        "client_learning_rate": subject.client_learning_rate,
        "unit": "mean loss in nats and accuracy over all clients' own held-out rows",
    }


def table(content: Mapping[str, Json]) -> str:
    """The content as text."""
    lines = [f"{'':40} {'accuracy':>9} {'loss':>9} {'MB down':>9} {'MB up':>9}"]
    for row in content["rows"]:
        lines.append(
            f"{row['name']:40} {row['accuracy']:9.4f} {row['loss']:9.4f}"
            f" {row['bytes_down'] / 1e6:9.1f} {row['bytes_up'] / 1e6:9.1f}"
        )
    return "\n".join(lines)


def _summarised(task: Task, row: dict[str, Json]) -> dict[str, Json]:
    """The pooled figures, and how accuracy spreads over the clients where each is by itself."""
    from fed_pretrain.tasks import evaluation

    alone = [task.summarise(sums)["accuracy"] for sums in row.pop("each")]
    over = evaluation.spread(alone, worst_is_low=True) if alone else {}
    own = {f"accuracy_{name}": over[name] for name in ("mean", "std", "worst_decile") if over}
    return {**task.summarise(row.pop("sums")), **own, **row}


def _as_it_is(name: str, result: FineTuned, down: int, up: int = 0) -> dict[str, Json]:
    """Before any fine-tuning."""
    each = [sums["before"] for sums in result.each]
    return {"name": name, "sums": result.before, "each": each, "bytes_down": down, "bytes_up": up}


def _row(result: FineTuned) -> dict[str, Json]:
    return {
        "name": result.name,
        "sums": result.after,
        "each": [sums["after"] for sums in result.each],
        "bytes_down": result.bytes_down,
        "bytes_up": result.bytes_up,
    }


class _Reads:
    """Clients that have both training rows and held-out rows of their own."""

    def __init__(self, subject: Subject, work: LocalWork) -> None:
        self._train = subject.task.reader(TRAIN_SPLIT)
        self._held = subject.task.reader(subject.eval_split)
        self._work = work
        self._seed = subject.seed
        held = set(self._held.client_ids)
        both = [name for name in self._train.client_ids if name in held]
        self.client_ids: list[str] = both[: subject.max_clients]

    def each(self) -> list[ClientInput]:
        return [
            ClientInput(name, functools.partial(_read, self._pair, name, self._work, self._seed))
            for name in self.client_ids
        ]

    def pooled(self) -> tuple[ClientInput, int]:
        """All of them as one client, and the bytes of their training rows."""
        from fed_pretrain.algorithms import local_fine_tuning

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
    from fed_pretrain.algorithms.local_fine_tuning import held_out_payload

    train, held = (reader.rows(client_id, work.max_examples) for reader in readers)
    return held_out_payload(train, held, work, seed, client_id)


def _pooled(train: Rows, held: Rows, work: LocalWork, seed: int) -> Mapping[str, np.ndarray]:
    from fed_pretrain.algorithms.local_fine_tuning import held_out_payload

    return held_out_payload(train, held, work, seed, POOLED)
