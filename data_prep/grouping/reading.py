"""Reads the work units of a task, encodes their records, accounts for what was read and dropped."""

import collections
import dataclasses
import time
from collections.abc import Iterator

from apache_beam.metrics import Metrics

from data_prep.grouping.job import Job, Task
from data_prep.grouping.runs import Row
from data_prep.sources.items import BadRecord, Dropped, Record
from data_prep.sources.work_units import WorkUnit
from data_prep.store.examples import ExampleEncoder, WrongValue
from data_prep.store.features import MOST_LABELS, SPLITS
from groundwork.stores import mirror

NAMESPACE = "data_prep"
READ = "read"
"""The stage in which every item is read for the last time, and accounted for."""
PROGRESS_SECONDS = 1.0
_SPLIT_CODES = {name: code for code, name in enumerate(SPLITS)}
_LONGEST_CLIENT_ID = 1024


@dataclasses.dataclass
class Account:
    """What happened to the items of a task."""

    examples: int = 0
    payload_bytes: int = 0
    dropped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    bad: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class TooManyBadRecords(Exception):
    """The task stops here; the job fails with the sentence."""


class Stopped(Exception):
    """Another process of this machine met the error that ends the job."""


class TaskReader:
    """Reads the units of one task.

    `clients` are those that a global partition gave its sound records, in their order.
    """

    def __init__(
        self, job: Job, task: Task, stage: str, clients: Iterator[bytes] | None = None
    ) -> None:
        self._job = job
        self._task = task
        self._stage = stage
        self._clients = clients
        self._encode = ExampleEncoder(job.features).encode
        self._natural = not job.partition.is_global
        self._labelled = any(f.name == "label" and f.kind == "int64" for f in job.features)
        self._next_report = time.monotonic() + PROGRESS_SECONDS
        self._counted: collections.Counter[str] = collections.Counter()
        self.account = Account()

    def read(self) -> Iterator[Row]:
        try:
            for unit in self._task.units:
                yield from self._read_unit(unit)
            self._note()
        finally:
            self._count()

    def _read_unit(self, unit: WorkUnit) -> Iterator[Row]:
        if mirror.is_remote(unit.path):
            unit = dataclasses.replace(unit, path=str(mirror.here(unit.path)))
        account = self.account
        position = 0
        for number_of_item, item in enumerate(self._job.reader.read(unit)):
            if number_of_item & 0xFF == 0:
                self._report()
            if isinstance(item, Record):
                row = self._row(position, unit, item)
                if row is not None:
                    position += 1
                    account.examples += 1
                    account.payload_bytes += len(row.payload)
                    yield row
            elif isinstance(item, Dropped):
                account.dropped[item.reason] += item.examples
            else:
                self._refuse(item)

    def _row(self, position: int, unit: WorkUnit, item: Record) -> Row | None:
        try:
            payload = self._encode(item.features)
            client = self._client(item.client_id)
            split = 0 if item.split is None else _SPLIT_CODES[item.split]
            order = int(item.order)
            if not -(1 << 63) <= order < 1 << 63:
                raise WrongValue(f"order {order} does not fit into 64 bits")
            label = self._label(item)
        except WrongValue as error:
            self._refuse(self._bad("wrong_value", unit, position, str(error)))
            return None
        except KeyError:
            detail = f"split {item.split!r} is none of {', '.join(SPLITS)}"
            self._refuse(self._bad("unknown_split", unit, position, detail))
            return None
        if self._clients is not None:
            client = next(self._clients)
        limits = self._job.limits
        counted = limits is None or limits.feature is None or not item.features[limits.feature]
        return Row(client, order, payload, split, label, int(counted))

    def _client(self, client_id: str | None) -> bytes:
        if client_id is None:
            if self._natural:
                raise WrongValue("the record has no client, which --partition=natural needs")
            return b""
        try:
            client = client_id.encode()
        except (AttributeError, UnicodeEncodeError):
            raise WrongValue(f"client id {client_id!r:.80} is not text") from None
        if not 0 < len(client) <= _LONGEST_CLIENT_ID:
            raise WrongValue(f"a client id of {len(client)} bytes (1 to {_LONGEST_CLIENT_ID})")
        return client

    def _label(self, item: Record) -> int:
        if not self._labelled:
            return 0
        label = int(item.features["label"])
        names = self._job.num_labels
        if names is not None and not 0 <= label < names:
            raise WrongValue(f"label {label} is outside 0..{names - 1}")
        if label < 0:
            raise WrongValue(f"label {label} is negative")
        if self._job.partition.needs_labels and label >= MOST_LABELS:
            rule = self._job.partition.rule
            raise WrongValue(f"label {label} is too large for --partition={rule} ({MOST_LABELS:,})")
        return label if -(1 << 31) <= label < 1 << 31 else 0

    def _bad(self, reason: str, unit: WorkUnit, position: int, detail: str) -> BadRecord:
        file = unit.path or unit.id
        return BadRecord(reason, file, None, f"{detail} (after {position:,} sound records)")

    def _refuse(self, bad: BadRecord) -> None:
        allowed, found = self._job.max_bad_records, self.account.bad
        found[bad.reason] += 1
        if found.total() <= allowed:
            return
        if not allowed:
            instead = "--max_bad_records=N counts such records instead"
            raise TooManyBadRecords(f"{bad.sentence()} ({instead})")
        many = f"more than --max_bad_records={allowed} bad records ({found.total()})"
        raise TooManyBadRecords(f"{many}; the last one is {bad.sentence()}")

    def _report(self) -> None:
        now = time.monotonic()
        if now < self._next_report:
            return
        self._next_report = now + PROGRESS_SECONDS
        self._count()
        if self._job.stopped():
            raise Stopped
        self._note()

    def _note(self) -> None:
        self._job.note(f"{self._stage}-{self._task.number:06d}", self.account.examples)

    def _count(self) -> None:
        """What the engine's counters show, by what follows the name of the stage."""
        counts = collections.Counter({"": self.account.examples})
        for name, reasons in (("dropped", self.account.dropped), ("bad", self.account.bad)):
            counts.update({f", {name}: {reason}": number for reason, number in reasons.items()})
        for name, number in (counts - self._counted).items():
            Metrics.counter(NAMESPACE, f"{self._stage}{name}").inc(number)
        self._counted = counts
