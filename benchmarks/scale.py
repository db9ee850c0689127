"""What a preparation costs as its input grows: CPU seconds, memory and bytes, by whole programs.

python -m benchmarks.scale            # three sizes of each shape, two minutes of CPU
python -m benchmarks.scale --full     # FEMNIST's 805,263 images besides, three minutes of CPU
python -m benchmarks.scale --table    # writes what --full measured into docs/scale.md
python -m benchmarks.scale --bzip2    # one compressed file by one worker and by two, on the clock
python -m benchmarks.scale --smoke

The input is synthetic, in the files of the sources: a Pushshift dump of comments of 30 words, ten a
client or one, and TFF's SQLite file of 28 x 28 images, 227 a writer. One worker; seconds are of the
CPU, so a busy machine does not move them much.
"""

import argparse
import bz2
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import machine, smoke
from data_prep.store.examples import ExampleEncoder
from data_prep.store.features import FeatureSpec
from tools import page_tables

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
    elapsed: float = 0.0


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


def bzip2(folder: Path, count: int) -> list[str]:
    """The comments in one compressed file, whose blocks workers share."""
    arguments = comments(folder, count)
    plain = folder / "RC_2017-12"
    (folder / "RC_2017-12.bz2").write_bytes(bz2.compress(plain.read_bytes()))
    plain.unlink()
    return [f"{part}.bz2" if part.startswith("--input=") else part for part in arguments]


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


def measure(make: Make, count: int, workers: int = 1) -> Cost:
    """The program `prepare`, from its first import to its last byte."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = make(folder, count)
        read = sum(path.stat().st_size for path in folder.iterdir())
        output = folder / "out"
        command = [sys.executable, "-m", "data_prep.prepare", *arguments, f"--output={output}"]
        began = time.monotonic()
        process = subprocess.Popen(
            [*command, f"--workers={workers}"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            assert process.stderr is not None
            raise SystemExit(process.stderr.read().decode())
        process.returncode = 0
        written = sum(path.stat().st_size for path in output.iterdir())
        seconds, elapsed = usage.ru_utime + usage.ru_stime, time.monotonic() - began
        return Cost(seconds, usage.ru_maxrss / 1024, read, written, elapsed)


Costs = dict[str, dict[int, Cost]]
_HEADER = ("", "CPU s", "a CPU second", "memory, MB", "read, MB", "written, MB")
_TITLES = {
    "comments": "comments of 30 words, ten a client",
    "clients": "comments of 30 words, each by somebody else",
    "images": "images of 28 x 28 from TFF's SQLite, 227 a client",
}


def measured(sizes: Mapping[str, Sequence[int]]) -> Costs:
    costs: Costs = {shape: {} for shape in sizes}
    for shape, counts in sizes.items():
        for count in counts:
            cost = costs[shape][count] = measure(SHAPES[shape], count)
            print(f"{count:,} {shape}: {cost.seconds:.1f} s of CPU", flush=True)
    return costs


def tables(costs: Costs) -> str:
    """A table a shape."""
    return "\n".join(
        page_tables.markdown(
            (_TITLES[shape], *_HEADER[1:]), [_row(n, cost) for n, cost in found.items()]
        )
        for shape, found in costs.items()
    )


def _row(count: int, cost: Cost) -> tuple[str, ...]:
    return (
        f"{count:,}", f"{cost.seconds:.1f}", f"{count / cost.seconds:,.0f}",
        f"{cost.megabytes:,.0f}", f"{cost.read / 1e6:,.0f}", f"{cost.written / 1e6:,.0f}",
    )  # fmt: skip


class Law(NamedTuple):
    """Seconds to begin, and for each more."""

    begin: float
    each: float

    def seconds(self, count: float, workers: int = 1) -> float:
        return self.begin + self.each * count / workers


def law(found: Mapping[int, Cost]) -> Law:
    """A line through the sizes but FEMNIST's own, which it is to foretell."""
    counts = [count for count in found if count != FEMNIST_IMAGES]
    each, begin = np.polyfit(counts, [found[count].seconds for count in counts], 1)
    return Law(float(begin), float(each))


def laws(costs: Costs) -> str:
    lines = {shape: law(found) for shape, found in costs.items()}
    comment, alone, image = (lines[shape] for shape in SHAPES)
    largest = costs["comments"][max(costs["comments"])]
    bytes_each = largest.read / max(costs["comments"])
    whole = costs["images"].get(FEMNIST_IMAGES)
    told = f"; foretells {image.seconds(FEMNIST_IMAGES):.0f} s for FEMNIST's size"
    # Ten comments a client cost a comment and a tenth of a client each; else a whole client each.
    client = (alone.each - comment.each) / 0.9
    rows = [
        (
            "to begin",
            f"{comment.begin:.1f} s; {image.begin:.1f} s where a source imports TensorFlow",
        ),
        ("a comment", f"{1e6 * comment.each:.0f} µs"),
        (
            "an image",
            f"{1e6 * image.each:.0f} µs" + (f"{told}: {whole.seconds:.0f} s" if whole else ""),
        ),
        ("a client", f"about {1e6 * client:.0f} µs more than its examples"),
        ("a gigabyte of these comments", f"about {1e9 / bytes_each * comment.each:.0f} s"),
    ]
    return page_tables.markdown(("what", "costs, of one worker's CPU"), rows)


# Sentences and comments are taken to cost what a comment of the tables does.
_DATA = {
    "FEMNIST: 805,263 images, 3,550 writers": ("images", FEMNIST_IMAGES),
    "Stack Overflow: 135 M sentences, 342,477 users": ("comments", 135_000_000),
    "Reddit, one month: 86 M comments": ("comments", 86_000_000),
}


def foretold(costs: Costs) -> str:
    rows = []
    for name, (shape, count) in _DATA.items():
        found, line = costs[shape], law(costs[shape])
        largest = max(found)
        gigabytes = found[largest].written / largest * count / 1e9
        times = [_time(line.seconds(count, workers)) for workers in (1, 16, 256)]
        rows.append((name, *times, f"{gigabytes:.1f} GB"))
    return page_tables.markdown(("data", "1 worker", "16 workers", "256 workers", "output"), rows)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="FEMNIST's size, once")
    parser.add_argument("--bzip2", action="store_true", help="one compressed file, two workers")
    parser.add_argument("--table", action="store_true", help="only rewrite docs/scale.md")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "benchmarks" / "scale.json")
    smoke.add(parser)
    asked = parser.parse_args()
    if asked.table:
        _write_page(asked.output)
        return
    machine.announce()
    if asked.bzip2:
        for workers in (1, 2, 2, 1):
            cost = measure(bzip2, 200_000, workers)
            print(
                f"{workers} workers: {cost.elapsed:.1f} s, {cost.seconds:.1f} s of CPU", flush=True
            )
        return
    small = {"comments": (2000,), "clients": (2000,), "images": (500,)}
    texts, images = (50_000, 100_000, 200_000), (20_000, 40_000, 80_000)
    full = (FEMNIST_IMAGES,) if asked.full else ()
    sizes = {"comments": texts, "clients": texts, "images": (*images, *full)}
    costs = measured(small if asked.smoke else sizes)
    print(tables(costs))
    if asked.smoke:
        smoke.check({shape: max(one.values()).seconds for shape, one in costs.items()}, 3)
        return
    print(laws(costs))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    kept = {shape: {n: cost._asdict() for n, cost in one.items()} for shape, one in costs.items()}
    asked.output.write_text(json.dumps({**machine.describe(), "costs": kept}, indent=1) + "\n")


def _write_page(kept: Path) -> None:
    content = json.loads(kept.read_text())
    costs = {
        shape: {int(n): Cost(**cost) for n, cost in one.items()}
        for shape, one in content["costs"].items()
    }
    blocks = {
        "scale": lambda: tables(costs),
        "scale_laws": lambda: laws(costs),
        "scale_foretold": lambda: foretold(costs),
        "scale_machine": lambda: f"{content['machine']}\n",
    }
    page_tables.rewrite(ROOT / "docs" / "scale.md", blocks)


if __name__ == "__main__":
    main()
