"""What a preparation costs as its input grows: CPU seconds, memory and bytes, by whole programs.

python -m benchmarks.scale            # three sizes of each shape, two minutes of CPU
python -m benchmarks.scale --full     # FEMNIST's 805,263 images besides, three minutes of CPU
python -m benchmarks.scale --smoke

The input is synthetic, in the files of the sources: a Pushshift dump of comments of 30 words, ten a
client or one, and TFF's SQLite file of 28 x 28 images, 227 a writer. One worker; seconds are of the
CPU, so a busy machine does not move them much.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import machine, smoke
from data_prep.store.examples import ExampleEncoder
from data_prep.store.features import FeatureSpec

ROOT = Path(__file__).resolve().parent.parent
FEMNIST_IMAGES, IMAGES_A_WRITER = 805_263, 227
_WORDS = [f"word{number}" for number in range(400)]
_SCHEMA = """
CREATE TABLE examples (split_name TEXT, client_id TEXT, serialized_example_proto BLOB);
CREATE TABLE client_metadata (client_id TEXT, split_name TEXT, num_examples INTEGER);
"""


class Cost(NamedTuple):
    seconds: float
    megabytes: float
    """The largest memory of the program."""
    read: int
    written: int


def clients(folder: Path, count: int) -> list[str]:
    """Each comment by somebody else."""
    return comments(folder, count, each=1)


def comments(folder: Path, count: int, each: int = 10) -> list[str]:
    draw = random.Random(1)
    with open(folder / "RC_2017-12", "w") as file:
        for number in range(count):
            comment = {
                "author": f"user{number * 7919 % max(1, count // each)}",
                "body": " ".join(draw.choices(_WORDS, k=30)),
                "created_utc": 1_500_000_000 + number,
                "id": f"d{number:07x}",
                "subreddit": "test",
            }
            file.write(json.dumps(comment) + "\n")
    return ["--source=reddit_pushshift", f"--input={folder}/RC_2017-12", "--split=by_order"]


def images(folder: Path, count: int) -> list[str]:
    path = folder / "emnist_all.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
    with connection:
        connection.executemany("INSERT INTO examples VALUES (?, ?, ?)", _rows(count))
        writers = -(-count // IMAGES_A_WRITER)
        sizes = [
            (_writer(n), "all_train", min(IMAGES_A_WRITER, count - n * IMAGES_A_WRITER))
            for n in range(writers)
        ]
        connection.executemany("INSERT INTO client_metadata VALUES (?, ?, ?)", sizes)
    connection.close()
    return ["--source=femnist_tff", f"--input={path}"]


def _writer(number: int) -> str:
    return f"f{number:04d}_00"


def _rows(count: int) -> Iterator[tuple[str, str, bytes]]:
    features = (FeatureSpec("pixels", "float32", (28, 28)), FeatureSpec("label", "int64"))
    pixels = np.random.default_rng(0).integers(0, 256, (256, 28, 28)) / 255
    encode = ExampleEncoder(features).encode
    encoded = [encode({"pixels": one, "label": n % 62}) for n, one in enumerate(pixels)]
    for number in range(count):
        yield "all_train", _writer(number // IMAGES_A_WRITER), encoded[number * 7 % 256]


Make = Callable[[Path, int], list[str]]
SHAPES: dict[str, Make] = {"comments": comments, "clients": clients, "images": images}


def measure(make: Make, count: int) -> Cost:
    """The program `prepare`, from its first import to its last byte."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = make(folder, count)
        read = sum(path.stat().st_size for path in folder.iterdir())
        output = folder / "out"
        command = [sys.executable, "-m", "data_prep.prepare", *arguments, f"--output={output}"]
        process = subprocess.Popen(
            [*command, "--workers=1"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            assert process.stderr is not None
            raise SystemExit(process.stderr.read().decode())
        process.returncode = 0
        written = sum(path.stat().st_size for path in output.iterdir())
        return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, read, written)


def table(shape: str, sizes: Sequence[int]) -> dict[str, float]:
    print(f"\n| {shape} | CPU s | a CPU second | memory, MB | read, MB | written, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    figures, costs = {}, []
    for count in sizes:
        cost = measure(SHAPES[shape], count)
        costs.append(cost)
        row = (
            f"{count:,}", f"{cost.seconds:.1f}", f"{count / cost.seconds:,.0f}",
            f"{cost.megabytes:,.0f}", f"{cost.read / 1e6:,.0f}", f"{cost.written / 1e6:,.0f}",
        )  # fmt: skip
        print(f"| {' | '.join(row)} |", flush=True)
        figures[f"{shape} {count}"] = cost.seconds
    if len(sizes) > 1:
        slope, fixed = np.polyfit(sizes, [cost.seconds for cost in costs], 1)
        print(f"{fixed:.1f} s of CPU to begin, then {1 / slope:,.0f} {shape} a second", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="FEMNIST's size, once")
    smoke.add(parser)
    asked = parser.parse_args()
    machine.announce()
    small = {"comments": (2000,), "clients": (2000,), "images": (500,)}
    texts = (50_000, 100_000, 200_000)
    sizes = {"comments": texts, "clients": texts, "images": (20_000, 40_000, 80_000)}
    figures: dict[str, float] = {}
    for shape, counts in (small if asked.smoke else sizes).items():
        figures |= table(shape, counts)
    if asked.full:
        figures |= table("images", (FEMNIST_IMAGES,))
    if asked.smoke:
        smoke.check(figures, 3)


if __name__ == "__main__":
    main()
