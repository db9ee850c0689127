"""Speed of the store: the writer by itself, and random reads beside TFF's own readers.

python -m benchmarks.data_prep_bench          # a minute on two cores
python -m benchmarks.data_prep_bench --smoke  # seconds; reads are ours alone, without TFF

What a whole preparation costs, in time and memory, is measured by benchmarks/scale.py.
"""

import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import machine, scale, smoke
from data_prep.inspection import exporting
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.examples import ExampleEncoder
from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset
from data_prep.store.writer import ShardWriter
from groundwork import files

PROCESSES = 2
EACH_AT_MOST = 64
Make = Callable[[int], Iterator[dict[str, Any]]]


def images(count: int) -> Iterator[dict[str, Any]]:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 784), np.uint8)
    raw = [row.tobytes() for row in pixels]
    for number in range(count):
        yield {"image": raw[number & 255], "label": number % 62}


def texts(count: int) -> Iterator[dict[str, Any]]:
    words = ("federated learning begins where the clients are and every word counts " * 3).split()
    lines = [" ".join(random.Random(seed).choices(words, k=20)) for seed in range(256)]
    for number in range(count):
        yield {"text": lines[number & 255], "created": 1_500_000_000 + number}


KINDS: dict[str, tuple[tuple[FeatureSpec, ...], Make]] = {
    "images": ((FeatureSpec("image", "image", (28, 28, 1)), FeatureSpec("label", "int64")), images),
    "texts": ((FeatureSpec("text", "text"), FeatureSpec("created", "int64")), texts),
}


def write_shard(folder: Path, kind: str, count: int) -> None:
    """Encode, frame, checksum, hash, write: what the store does."""
    features, make = KINDS[kind]
    encode = ExampleEncoder(features).encode
    name = f"{os.getpid()}.tfrecord"
    with files.replacing(folder / name) as file:
        writer = ShardWriter(file)
        for number, values in enumerate(make(count)):
            writer.add(f"client_{number // 100}", encode(values))
        writer.finish(name)


def bench_writer(kind: str, count: int) -> dict[str, float]:
    """Examples a second; CPU time does not depend on what else the machine does."""
    with tempfile.TemporaryDirectory() as folder:
        started, before = time.perf_counter(), children_cpu()
        processes = [
            multiprocessing.Process(target=write_shard, args=(Path(folder), kind, count))
            for _ in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        seconds, total = time.perf_counter() - started, count * PROCESSES
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    print(
        f"store writer, {kind}: {total / seconds:,.0f} examples/s, {size / seconds / 1e6:,.0f} MB/s"
        f" ({PROCESSES} processes, {total:,} examples; "
        f"{(children_cpu() - before) / total * 1e6:.1f} microseconds of CPU each)"
    )
    return {f"writer {kind}": total / seconds}


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def bench_reads(folder: Path, clients: int, reads: int, *, tff: bool = True) -> dict[str, float]:
    """Median seconds of a random read, by reader."""
    scale.comments(folder, 10 * clients)
    output, dump = str(folder / "data"), str(folder / "RC_2017-12")
    dataset = prepare(PrepareConfig(source="reddit_pushshift", input=dump, output=output))
    ids = dataset.index("train").client_ids
    chosen = random.Random(0).sample(ids, min(reads, len(ids)))
    readers: dict[str, Callable[[str], Any]] = {
        "ours": lambda client: dataset.read_client("train", client),
        **(tff_readers(folder, dataset, chosen) if tff else {}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    # In turn, so that whatever else the machine does meets all three alike; a few to warm up.
    for client in (*chosen[:5], *chosen):
        for name, read in readers.items():
            started = time.perf_counter()
            read(client)
            seconds[name].append(time.perf_counter() - started)
    found = {name: sorted(spent[5:]) for name, spent in seconds.items()}
    medians = {name: statistics.median(spent) for name, spent in found.items()}
    for name, spent in found.items():
        print(
            f"random read of a client of {len(ids):,}, {name}: median {medians[name] * 1e3:.3f} ms,"
            f" 99 % {spent[-1 - len(spent) // 100] * 1e3:.3f} ms,"
            f" {medians[name] / medians['ours']:.1f} times ours"
        )
    return {f"read by {name}": median for name, median in medians.items()}


def tff_readers(
    folder: Path, dataset: PreparedDataset, chosen: list[str]
) -> dict[str, Callable[[str], None]]:
    """TFF's own classes on the same clients, each client read in full as one batch."""
    import tensorflow as tf
    import tensorflow_federated as tff

    description = {
        spec.name: tf.io.FixedLenFeature((), tf.string if spec.kind == "text" else tf.int64)
        for spec in dataset.manifest.features
    }
    exporting.export(str(dataset.path), "tff_sqlite", str(folder / "sqlite"))
    sql = tff.simulation.datasets.load_and_parse_sql_client_data(
        str(folder / "sqlite" / exporting.SQLITE_FILE),
        {name: tf.TensorSpec(one.shape, one.dtype) for name, one in description.items()},
        "train",
    )
    files = {client: folder / "files" / client for client in chosen}
    (folder / "files").mkdir()
    for client, file in files.items():
        frames = map(exporting.Framer().frame, dataset.read_records("train", client))
        file.write_bytes(b"".join(frames))
    per_file = tff.simulation.datasets.FilePerUserClientData(
        {client: str(file) for client, file in files.items()},
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
    parser = smoke.parser(__doc__)
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=100)
    asked = parser.parse_args()
    machine.announce()
    sizes = (500, 200, 20) if asked.smoke else (asked.examples, asked.clients, asked.reads)
    found = bench_writer("images", sizes[0]) | bench_writer("texts", sizes[0])
    with tempfile.TemporaryDirectory(prefix="data_prep_bench") as folder:
        found |= bench_reads(Path(folder), *sizes[1:], tff=not asked.smoke)
    if asked.smoke:
        smoke.check(found, count=3)


if __name__ == "__main__":
    main()
