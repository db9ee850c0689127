"""Iterates work units, encodes their records, keeps the account of what was read and dropped."""

import collections
import time
from collections.abc import Iterator
from typing import NamedTuple

from data_prep.grouping.job import Job
from data_prep.partitions.partition_config import MOST_LABELS, SPLITS
from data_prep.sources.source import BadRecord, Dropped, Record, WorkUnit
from data_prep.store.examples import ExampleEncoder, WrongValue
from groundwork.errors import UserError

PROGRESS_SECONDS = 1.0
_SPLIT_CODES = {name: code for code, name in enumerate(SPLITS)}
_LONGEST_CLIENT_ID = 1024


class Encoded(NamedTuple):
    """A sound record, ready to be stored. `position` counts the sound records of its unit."""

    unit: int
    position: int
    client: bytes | None
    split: int
    order: int
    label: int
    counted: int
    payload: bytes


class Account:
    """What happened to the items of a task."""

    def __init__(self) -> None:
        self.examples = 0
        self.dropped: collections.Counter[str] = collections.Counter()
        self.bad: list[BadRecord] = []
        self.splits: set[int] = set()

    def bad_reasons(self) -> dict[str, int]:
        return dict(collections.Counter(bad.reason for bad in self.bad))


class TooManyBadRecords(Exception):
    """The task stops here; the job fails with the sentence."""


def sentence(bad: BadRecord, allowed: int, found: int) -> str:
    """The one line a user sees."""
    if allowed == 0:
        return f"{bad.sentence()} (--max_bad_records=N counts such records instead)"
    return (
        f"more than --max_bad_records={allowed} bad records ({found}); the last one is "
        f"{bad.sentence()}"
    )


class TaskReader:
    """Reads the units of one task."""

    def __init__(self, job: Job, task: int, stage: str) -> None:
        self._job = job
        self._task = task
        self._stage = stage
        self._encode = ExampleEncoder(job.features).encode
        self._natural = not job.partition.is_global
        self._labelled = any(f.name == "label" and f.kind == "int64" for f in job.features)
        self._next_report = time.monotonic() + PROGRESS_SECONDS
        self.account = Account()

    def read(self) -> Iterator[Encoded]:
        for number in self._job.tasks[self._task]:
            yield from self._read_unit(number, self._job.units[number])

    def _read_unit(self, number: int, unit: WorkUnit) -> Iterator[Encoded]:
        account = self.account
        position = 0
        for number_of_item, item in enumerate(self._job.reader.read(unit)):
            if number_of_item & 0xFF == 0:
                self._report()
            if isinstance(item, Record):
                encoded = self._encoded(number, position, unit, item)
                if encoded is not None:
                    position += 1
                    account.examples += 1
                    account.splits.add(encoded.split)
                    yield encoded
            elif isinstance(item, Dropped):
                account.dropped[item.reason] += item.examples
            else:
                self._refuse(item)

    def _encoded(self, number: int, position: int, unit: WorkUnit, item: Record) -> Encoded | None:
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
            known = ", ".join(SPLITS)
            detail = f"split {item.split!r} is none of {known}"
            self._refuse(self._bad("unknown_split", unit, position, detail))
            return None
        limits = self._job.limits
        counted = limits is None or limits.feature is None or not item.features[limits.feature]
        return Encoded(number, position, client, split, order, label, int(counted), payload)

    def _client(self, client_id: str | None) -> bytes | None:
        if client_id is None:
            if self._natural:
                raise WrongValue("the record has no client, which --partition=natural needs")
            return None
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
        account = self.account
        account.bad.append(bad)
        if len(account.bad) > self._job.max_bad_records:
            raise TooManyBadRecords(sentence(bad, self._job.max_bad_records, len(account.bad)))

    def _report(self) -> None:
        now = time.monotonic()
        if now < self._next_report:
            return
        self._next_report = now + PROGRESS_SECONDS
        if self._job.failed():
            raise UserError("another worker met the error that stops this job")
        path = self._job.folder("progress") / f"{self._stage}-{self._task:06d}"
        path.write_text(str(self.account.examples))
