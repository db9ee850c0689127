"""How many lines of each room the tests run: the plugin of pytest behind `make test COVERAGE=1`.

Probes of slipcover stay in place, as taking them out costs more than a call of one. Lines that only
other processes run, or the copies that AutoGraph makes of functions, do not count.
"""

import copyreg
import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
import slipcover
from slipcover import probe

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "coverage"
# Not from tools.rooms, which imports some of them.
OURS = ("groundwork", "data_prep", "fed_pretrain", "pipelines")
NEVER = 1 << 30


class Recorder(slipcover.Slipcover):
    """What this process runs of the modules that have probes."""

    def __init__(self) -> None:
        super().__init__(d_miss_threshold=NEVER)
        # Beam pickles functions by their code, probes included.
        copyreg.pickle(type(_spent(self)), lambda _: (_spent, ()))

    def watch_imports(self) -> None:
        """From now on, whatever is imported of ours has probes."""
        ours = slipcover.FileMatcher(sources=[ROOT / top for top in OURS])
        slipcover.ImportManager(self, ours).__enter__()

    def seen(self) -> dict[str, list[int]]:
        return {path: sorted(lines) for path, lines in self.newly_seen.items()}


def _spent(of: Recorder | None = None) -> object:
    return probe.new(of or recorder, __file__, 0, NEVER)


recorder = Recorder()


def by_room(seen: Mapping[str, Collection[int]]) -> Iterator[tuple[str, int, int]]:
    """Each room, how many of its lines are code, and how many of those ran."""
    from tools import rooms

    code, ran = Counter[str](), Counter[str]()
    for module, path in rooms.modules().items():
        lines = set(recorder.lines_from_code(compile(path.read_bytes(), str(path), "exec")))
        for name in (rooms.room(module), "all rooms"):
            code[name] += len(lines)
            ran[name] += len(lines.intersection(seen.get(str(path), ())))
    for name in (*rooms.ARROWS, "all rooms"):
        yield name, code[name], ran[name]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    recorder.watch_imports()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in FOLDER.glob("*.json"):
            path.unlink()


def pytest_sessionfinish() -> None:
    """Each worker of pytest-xdist writes what it saw, and so does the controller."""
    (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(recorder.seen()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seen = defaultdict[str, set[int]](set)
    for path in FOLDER.glob("*.json"):
        for name, lines in json.loads(path.read_text()).items():
            seen[name].update(lines)
    terminalreporter.section("lines that the tests run, by room")
    for room, code, ran in by_room(seen):
        terminalreporter.write_line(f"{room:34} {ran:6,} of {code:6,}  {ran / max(1, code):4.0%}")
