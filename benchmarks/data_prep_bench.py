"""Speed and memory of data preparation: writer alone, Beam beside it, many clients, random reads.

python -m benchmarks.data_prep_bench                 # all, about three minutes on two cores
python -m benchmarks.data_prep_bench --only=writer
python -m benchmarks.data_prep_bench --clients=20000 # smaller
python -m benchmarks.data_prep_bench --smoke         # seconds; reads are ours alone, without TFF
"""

import argparse
import itertools
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import machine, smoke
from data_prep.grouping.runs import RunSpiller, merged
from data_prep.inspection import exporting
from data_prep.preparing import preparation, request
from data_prep.sources.source import Item, Record, Source, WorkUnit
from data_prep.store.examples import ExampleEncoder
from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset, open_dataset
from data_prep.store.writer import ShardWriter

PROCESSES = 2
EACH_AT_MOST = 64
SPILL_MB = 16
IMAGES = (FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64"))
TEXTS = (FeatureSpec("text", "text"), FeatureSpec("created", "int64"))
WORDS = ("federated learning begins where the clients are and every word counts " * 3).split()


def images(count: int) -> Iterator[dict[str, Any]]:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 784), np.uint8)
    raw = [row.tobytes() for row in pixels]
    for number in range(count):
        yield {"image": raw[number & 255], "label": number % 62}


def texts(count: int) -> Iterator[dict[str, Any]]:
    lines = [" ".join(random.Random(seed).choices(WORDS, k=20)) for seed in range(256)]
    for number in range(count):
        yield {"text": lines[number & 255], "created": 1_500_000_000 + number}


def write_shard(
    folder: Path,
    features: tuple[FeatureSpec, ...],
    make: Callable[[int], Iterator[dict[str, Any]]],
    count: int,
) -> int:
    """Encode, frame, checksum, hash, write: what the store does; returns the bytes."""
    encode = ExampleEncoder(features).encode
    with ShardWriter(folder / f"{os.getpid()}.tfrecord") as writer:
        for number, values in enumerate(make(count)):
            writer.add(f"client_{number // 100}", encode(values))
        return writer.close().bytes


def bench_writer(folder: Path, examples: int) -> dict[str, float]:
    """Examples a second, by what they hold."""
    found = {}
    for name, features, make in (("images", IMAGES, images), ("texts", TEXTS, texts)):
        started, before = time.perf_counter(), children_cpu()
        processes = [
            multiprocessing.Process(target=write_shard, args=(folder, features, make, examples))
            for _ in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in folder.glob("*.tfrecord"))
        total = examples * PROCESSES
        found[f"writer {name}"] = total / seconds
        print(
            f"store writer, {name}: {total / seconds:,.0f} examples/s, "
            f"{size / seconds / 1e6:,.0f} MB/s ({PROCESSES} processes, {total:,} examples; "
            f"{(children_cpu() - before) / total * 1e6:.1f} microseconds of CPU each)"
        )
        for path in folder.glob("*.tfrecord"):
            path.unlink()
    return found


def children_cpu() -> float:
    """What finished child processes computed: it does not depend on what else the machine does."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class ManyClients:
    """`clients` authors with `each` short records, in an order that scatters every client."""

    label_names = None
    extra: Mapping[str, Any] = {}
    features = TEXTS

    def __init__(self, clients: int, each: int, units: int) -> None:
        self.clients, self.each, self.pieces = clients, each, units

    def units(self) -> list[WorkUnit]:
        total = self.clients * self.each
        borders = [total * piece // self.pieces for piece in range(self.pieces + 1)]
        return [
            WorkUnit(f"piece{n}", start=a, stop=b, size=(b - a) * 200, examples=b - a)
            for n, (a, b) in enumerate(itertools.pairwise(borders))
        ]

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        line = " ".join(WORDS[:12])
        for number in range(unit.start, unit.stop or 0):
            client = f"user_{number * 7919 % self.clients:06d}"
            text = f"{number} {line}"
            yield Record(client, None, {"text": text, "created": number}, order=number)


def prepare_many(
    folder: Path, clients: int, each: int, workers: int, shard_mb: int, spill_mb: int = 128
) -> Path:
    output = folder / f"many{workers}-{shard_mb}"
    reader = ManyClients(clients, each, 16)
    config = request.PrepareConfig(
        source="many",
        output=str(output),
        split="none",
        workers=workers,
        shard_mb=shard_mb,
        spill_mb=spill_mb,
    )
    source = Source("many", "synthetic authors", lambda pattern, options: reader, needs_input=False)
    opened = request.Opened(
        config,
        source,
        {},
        reader,
        tuple(reader.units()),
        config.partition_config(),
        config.split_config(),
        None,
        config.vocabulary,
    )
    preparation.prepare_opened(opened)
    return output


def bench_many(folder: Path, clients: int, each: int) -> Path:
    started = time.perf_counter()
    output = prepare_many(folder, clients, each, PROCESSES, 128)
    seconds = time.perf_counter() - started
    records = clients * each
    print(
        f"prepare {clients:,} clients x {each} records with {PROCESSES} Beam workers: "
        f"{seconds:.1f} s, {records / seconds:,.0f} records/s"
    )
    alone = bench_without_beam(folder, clients, each)
    print(f"the same work without Beam, one process: {alone:.1f} s")
    return output


def bench_without_beam(folder: Path, clients: int, each: int) -> float:
    """Spill, merge and write by direct calls: what is left of a run is Beam's."""
    started = time.perf_counter()
    reader = ManyClients(clients, each, 16)
    encode = ExampleEncoder(TEXTS).encode
    runs = folder / "runs"
    runs.mkdir()
    spiller = RunSpiller(runs, 128 << 20)
    for unit in reader.units():
        for item in reader.read(unit):
            assert isinstance(item, Record)
            assert item.client_id is not None
            spiller.add(item.client_id.encode(), item.order, encode(item.features), 0, 0, 1)
    spiller.flush()
    with ShardWriter(folder / "alone.tfrecord") as writer:
        for entry in merged([runs / name for name in spiller.runs], 0, 1 << 64):
            writer.add(entry.client.decode(), entry.payload)
        writer.close()
    shutil.rmtree(runs)
    return time.perf_counter() - started


def bench_memory(folder: Path, clients: int, each: int) -> None:
    """Peak memory of a process that prepares, against the shard size and the client count."""
    for count, shard_mb in ((clients // 4, 32), (clients, 32), (clients, 128)):
        pid = os.fork()
        if pid == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            prepare_many(folder / f"memory{count}-{shard_mb}", count, each, 1, shard_mb, SPILL_MB)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(
                f"memory, one process, {count:,} clients, shards of {shard_mb} MiB, "
                f"runs of {SPILL_MB} MiB: peak "
                f"{peak / 1024:,.0f} MiB ({before / 1024:,.0f} MiB before)",
                flush=True,
            )
            os._exit(0)
        os.waitpid(pid, 0)


def bench_reads(folder: Path, output: Path, reads: int, *, tff: bool = True) -> dict[str, float]:
    """Median seconds of a random read, by reader."""
    started = time.perf_counter()
    dataset = open_dataset(output)
    index = dataset.index("train")
    ids = index.client_ids
    index.position(ids[0])
    print(f"open {len(ids):,} clients: {time.perf_counter() - started:.3f} s")
    chosen = random.Random(0).sample(ids, min(reads, len(ids)))
    readers: dict[str, Callable[[str], Any]] = {
        "ours": lambda client: dataset.read_client("train", client),
        **(tff_readers(folder, dataset, chosen) if tff else {}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    # In turn, so that whatever else the machine does meets all three alike.
    for warm, clients in ((True, chosen[:5]), (False, chosen)):
        for client in clients:
            for name, read in readers.items():
                took = timed(lambda read=read, client=client: read(client))
                if not warm:
                    seconds[name].append(took)
    medians = {name: statistics.median(all_seconds) for name, all_seconds in seconds.items()}
    ours = medians["ours"]
    for name, all_seconds in seconds.items():
        median, worst = medians[name], sorted(all_seconds)[-len(chosen) // 100]
        print(
            f"random read of a client, {name}: median {median * 1e3:.3f} ms, "
            f"99 % {worst * 1e3:.3f} ms, {median / ours:.1f} times ours"
        )
    return {f"read by {name}": median for name, median in medians.items()}


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def tff_readers(
    folder: Path, dataset: PreparedDataset, chosen: list[str]
) -> dict[str, Callable[[str], None]]:
    """TFF's own classes on the same clients, each client read in full as one batch."""
    import tensorflow as tf
    import tensorflow_federated as tff

    description = {
        "text": tf.io.FixedLenFeature((), tf.string),
        "created": tf.io.FixedLenFeature((), tf.int64),
    }
    exporting.export(str(dataset.path), "tff_sqlite", str(folder / "sqlite"))
    database = str(folder / "sqlite" / exporting.SQLITE_FILE)
    started = time.perf_counter()
    sql = tff.simulation.datasets.load_and_parse_sql_client_data(
        database, {k: tf.TensorSpec(v.shape, v.dtype) for k, v in description.items()}, "train"
    )
    print(f"open TFF SqlClientData: {time.perf_counter() - started:.3f} s")
    files = folder / "files"
    frame = exporting.Framer().frame
    files.mkdir()
    for client in chosen:
        content = b"".join(map(frame, dataset.read_records("train", client)))
        (files / client).write_bytes(content)
    per_file = tff.simulation.datasets.FilePerUserClientData(
        {client: str(files / client) for client in chosen},
        lambda path: tf.data.TFRecordDataset(path).map(
            lambda record: tf.io.parse_single_example(record, description)
        ),
    )

    def reader(client_data: Any) -> Callable[[str], None]:
        def read(client: str) -> None:
            # TensorFlow reserves memory for a whole batch, so the batch is as small as it may be.
            for _ in client_data.create_tf_dataset_for_client(client).batch(EACH_AT_MOST):
                pass

        return read

    return {"TFF SqlClientData": reader(sql), "TFF FilePerUserClientData": reader(per_file)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("writer", "many", "memory"))
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=200_000)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--reads", type=int, default=100)
    smoke.add(parser)
    values = parser.parse_args()
    machine.announce()
    folder = Path(tempfile.mkdtemp(prefix="data_prep_bench"))
    try:
        if values.smoke:
            found = bench_writer(folder, 500)
            found |= bench_reads(folder, bench_many(folder, 200, 5), 20, tff=False)
            smoke.check(found, count=3)
            return
        if values.only in (None, "writer"):
            bench_writer(folder, values.examples)
        if values.only in (None, "memory"):
            bench_memory(folder, values.clients, values.each)
        if values.only in (None, "many"):
            output = bench_many(folder, values.clients, values.each)
            bench_reads(folder, output, values.reads)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
