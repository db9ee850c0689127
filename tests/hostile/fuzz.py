"""Every reader is given sound files changed at random; it reads them, or refuses in one sentence.

    python -m tests.hostile.fuzz                            until each reader computed ten minutes
    python -m tests.hostile.fuzz --only=CSV,torch --seconds=60
    python -m tests.hostile.fuzz --table                    write docs/reliability.md

What was tried is counted in tests/hostile/fuzzed, a file a reader, to which the same command adds,
on any machine; it may be ended whenever one likes. A content that is refused at lines of code at
which none was before is kept in --corpora, and changed further. Each minute is a process of its
own, so that a library that falls over is found. A reader with a finding is given no more; once that
is mended, take it out of the reader's file. Commands of other readers may run side by side.
"""

import argparse
import json
import os
import re
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from groundwork import command_line, files, versions
from tests.hostile import changes
from tests.hostile.readers import READERS
from tools import page_tables

RECORDS = Path(__file__).with_name("fuzzed")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_HEADER = ("reader", "parsed by", "CPU seconds", "files tried", "kept", "findings")
# Files are written by the thousand a second, which a disk would wait for.
_MEMORY = "/dev/shm"
_TURN = 60
_PATIENCE = 120
_MOST_KEPT = 500
_LARGEST_KEPT = 1 << 16


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of CPU, each reader, in all")
    parser.add_argument("--only", default="", help="readers, separated by commas")
    parser.add_argument("--corpora", type=Path, default=Path("runs/benchmarks/fuzz"))
    parser.add_argument("--table", action="store_true", help="only rewrite docs/reliability.md")
    options = parser.parse_args()
    if options.table:
        page_tables.rewrite(PAGE, {"fuzz": _report})
        return 0
    machine.announce()
    command_line.quiet_libraries()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if os.access(_MEMORY, os.W_OK):
        tempfile.tempdir = _MEMORY
    options.corpora.mkdir(parents=True, exist_ok=True)
    RECORDS.mkdir(exist_ok=True)
    names = options.only.split(",") if options.only else list(READERS)
    while left := [name for name in names if _goes_on(_found(name), options)]:
        for name in left:
            _turn(name, options)
    findings = sum(len(_found(name)["findings"]) for name in names)
    print(f"findings: {findings}")
    return 1 if findings else 0


def _goes_on(found: dict[str, Any], options: argparse.Namespace) -> bool:
    return found["seconds"] < options.seconds and not found["findings"]


def _turn(name: str, options: argparse.Namespace) -> None:
    """A minute of one reader, in a fork, whose end says what became of it."""
    found = _found(name)
    seconds = min(_TURN, options.seconds - found["seconds"])
    with tempfile.TemporaryDirectory() as scratch:
        _add_turn(name, found, seconds, Path(scratch), options.corpora)
    files.write_json(_record(name), found)
    print(
        f"{name}: {found['inputs']:,} files in {found['seconds']:.0f} s, "
        f"{found['kept']} kept, {len(found['findings'])} findings",
        flush=True,
    )


def _add_turn(
    name: str, found: dict[str, Any], seconds: float, scratch: Path, corpora: Path
) -> None:
    last, result = scratch / "last", scratch / "turn"
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        limit = int(seconds) + _PATIENCE + int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        tempfile.tempdir = str(scratch)  # Nothing stays if this process falls over.
        try:
            _try_for(name, seconds, found["inputs"], _corpus(corpora, name), last, result)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        why = f"ended with {os.waitstatus_to_exitcode(status)}"
        kept = corpora / f"{_file_name(name)}.{len(found['findings'])}.finding"
        kept.write_bytes(last.read_bytes())
        found["findings"].append(f"{why}: {kept.name}")
        found["inputs"] += 1  # Another seed next time.
    else:
        turn = json.loads(result.read_text())
        found["seconds"] += turn["seconds"]
        found["inputs"] += turn["inputs"]
        found["kept"] = max(found["kept"], turn["kept"])
    maker = _maker()
    if maker not in found["made"]:
        found["made"].append(maker)


def _try_for(name: str, seconds: float, seed: int, corpus: Path, last: Path, result: Path) -> None:
    reader = READERS[name]
    generator = np.random.default_rng([seed, *name.encode()])
    corpus.mkdir(exist_ok=True)
    sound = reader.sound()
    kept = [sound, *(path.read_bytes() for path in sorted(corpus.iterdir()))]
    met = {changes.tried(reader, one) for one in kept}
    began, tried = time.process_time(), 0
    while time.process_time() - began < seconds:
        base = kept[int(generator.integers(len(kept)))] if generator.random() < 0.7 else sound
        content = changes.changed(base, list(changes.random_changes(generator)))
        last.write_bytes(content)
        way = changes.tried(reader, content)
        tried += 1
        if way not in met:
            met.add(way)
            if len(kept) < _MOST_KEPT and len(content) < _LARGEST_KEPT:
                kept.append(content)
                (corpus / f"{len(kept):04d}-{tried}").write_bytes(content)
    spent = time.process_time() - began
    files.write_json(result, {"seconds": spent, "inputs": tried, "kept": len(kept) - 1})


def _corpus(folder: Path, name: str) -> Path:
    return folder / f"{_file_name(name)}.corpus"


def _found(name: str) -> dict[str, Any]:
    path = _record(name)
    if not path.exists():
        return {"seconds": 0.0, "inputs": 0, "kept": 0, "findings": [], "made": []}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _record(name: str) -> Path:
    return RECORDS / f"{_file_name(name)}.json"


def _file_name(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _maker() -> str:
    """The same for every turn of a command."""
    return f"{versions.current()['commit'][:9]} on {versions.processor()}, {os.cpu_count()} cores"


def _report() -> str:
    found = {name: _found(name) for name in READERS}
    rows = [
        (
            name,
            READERS[name].parser,
            f"{one['seconds']:,.0f}",
            f"{one['inputs']:,}",
            str(one["kept"]),
            str(len(one["findings"])),
        )
        for name, one in found.items()
    ]
    made = sorted({maker for one in found.values() for maker in one["made"]})
    return f"{page_tables.markdown(_HEADER, rows)}\nMade at commit {'; '.join(made)}.\n"


if __name__ == "__main__":
    sys.exit(main())
