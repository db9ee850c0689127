"""What a preparation would do and how big it would be, from a glance at the input."""

import dataclasses
import itertools
import shutil
import time
from pathlib import Path

from data_prep.preparing.request import Opened, pack_tasks
from data_prep.sources.items import BadRecord, Record
from data_prep.sources.work_units import WorkUnit
from data_prep.store import features
from data_prep.store.examples import ExampleEncoder, WrongValue
from data_prep.store.records import OVERHEAD
from groundwork.errors import UserError
from groundwork.progress import duration
from groundwork.stores import mirror

_RECORDS = 2000
_SECONDS = 3.0
_SPILL_OVERHEAD = 28
_MERGE_SHARE = 0.6


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Extrapolated from a few records."""

    sampled: int
    examples: int
    output_bytes: int
    spill_bytes: int
    seconds: float


@dataclasses.dataclass
class _Sample:
    examples: int = 0
    payload: int = 0
    clients: int = 0
    seconds: float = 0.0
    consumed: int = 0
    """Input bytes that were read for it."""
    whole: bool = False


def estimate(opened: Opened) -> Estimate | None:
    """None where a glance cannot tell."""
    sample = _sample(opened, opened.reader.units[0])
    examples = _examples(opened, sample)
    if examples is None or not sample.examples:
        return None
    each = sample.payload / sample.examples
    client = sample.clients / sample.examples
    passes = 2 if opened.partition.is_global else 1
    workers = min(opened.workers, len(pack_tasks(opened.reader)))
    seconds = sample.seconds / sample.examples * examples * (passes + _MERGE_SHARE) / workers
    return Estimate(
        sample.examples,
        examples,
        round(examples * (each + OVERHEAD)),
        round(examples * (each + client + _SPILL_OVERHEAD)),
        seconds,
    )


def _sample(opened: Opened, unit: WorkUnit) -> _Sample:
    sample = _Sample()
    encode = ExampleEncoder(features.checked(opened.reader.features)).encode
    started, before = time.monotonic(), _bytes_read()
    items = opened.reader.read(unit)
    for item in itertools.islice(items, _RECORDS):
        if isinstance(item, Record):
            try:
                sample.payload += len(encode(item.features))
            except WrongValue:
                continue
            sample.examples += 1
            sample.clients += len(item.client_id or "client_0000")
        elif isinstance(item, BadRecord) and not opened.config.max_bad_records:
            raise UserError(item.sentence())
        if time.monotonic() - started > _SECONDS:
            break
    else:
        sample.whole = next(items, None) is None
    sample.seconds = time.monotonic() - started
    sample.consumed = unit.size if sample.whole else min(_bytes_read() - before, unit.size)
    return sample


def _bytes_read() -> int:
    """Bytes this process has read so far, by the system's own count; 0 where it keeps none."""
    try:
        for line in Path("/proc/self/io").read_text().splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _examples(opened: Opened, sample: _Sample) -> int | None:
    known = [unit.examples for unit in opened.reader.units]
    if all(count is not None for count in known):
        return sum(count or 0 for count in known)
    if sample.whole and len(opened.reader.units) == 1:
        return sample.examples
    if not sample.consumed or not sample.examples:
        return None
    return round(sample.examples * opened.input_bytes / sample.consumed)


def check_disk(opened: Opened, guess: Estimate) -> None:
    """Refuses a job that cannot end well, before it has run for hours."""
    needed = guess.output_bytes + guess.spill_bytes
    free = free_bytes(opened)
    if needed > free:
        raise UserError(
            f"--output={opened.config.output}: about {size(needed)} are needed there while "
            f"preparing, but only {size(free)} are free"
        )


def free_bytes(opened: Opened) -> int:
    folder = mirror.place(opened.config.output).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def report(opened: Opened, guess: Estimate | None) -> str:
    """The text of --dry_run."""
    config = opened.config
    lines = [
        f"source      {config.source}: {opened.source.summary}",
        f"input       {len(opened.reader.units):,} pieces, {size(opened.input_bytes)}",
        f"partition   {_settings(opened.partition.settings())}",
        f"splits      {_settings(opened.splits.settings())}",
        f"workers     {opened.workers} for {len(pack_tasks(opened.reader)):,} tasks",
        f"output      {config.output}",
    ]
    if guess is None:
        lines.append("size        is not known without reading the input")
    else:
        shards = config.shards or max(1, -(-guess.output_bytes // (config.shard_mb << 20)))
        lines += [
            f"examples    about {guess.examples:,} (from a glance at {guess.sampled:,})",
            f"size        about {size(guess.output_bytes)} in {shards:,} shards",
            f"disk        about {size(guess.output_bytes + guess.spill_bytes)} while it is made, "
            f"{size(free_bytes(opened))} free",
            f"time        about {duration(guess.seconds)}",
        ]
    lines.append("nothing was written (--dry_run)")
    return "\n".join(lines)


def _settings(settings: dict[str, object]) -> str:
    rest = [f"{name}={value}" for name, value in settings.items() if name != "rule"]
    return " ".join([str(settings["rule"]), *rest])


def size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"
