"""Breaks the code in one place at a time and counts how often the tests notice.

  python -m tools.mutants --minutes=10 --seed=0 fed_pretrain/algorithms fed_pretrain/reporting

A sample: places are drawn by the seed, from each room in turn, until the time is over. A mutant
lives in a copy of the tree. It is tried by the test of its file's name, then by those fast tests of
its room, and those elsewhere that import it, which call the function that is broken; it is killed
when one fails or takes too long, and survives after `--seconds` of tests. `--only=PATH:LINE` tries
the places of one line again.
"""

import argparse
import ast
import collections
import copy
import dataclasses
import itertools
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools import forked_tests
from tools.forked_tests import ROOT, Outcome

DEFAULT = (
    "fed_pretrain/algorithms",
    "fed_pretrain/clients",
    "fed_pretrain/executors/device",
    "fed_pretrain/executors/graphs",
    "fed_pretrain/probes",
    "fed_pretrain/reporting",
)
PATIENCE = 5
"""A mutant's tests may take this many times the CPU seconds that they take without it."""
LEAST_PATIENCE = 20.0
_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: Path
    place: int
    """The position among the nodes of the file that can be broken."""
    line: int
    function: str
    """The qualified name of the function it is in; empty outside of functions."""
    words: str

    @property
    def room(self) -> str:
        return "/".join(self.path.parts[:2])


def breakable(tree: ast.AST, inside: str = "", function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Operators, comparisons and numbers outside of annotations, and the function of each."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if _broken(copy.deepcopy(child)) is not None:
                yield child, function
            if isinstance(child, ast.ClassDef):
                yield from breakable(child, f"{inside}{child.name}.", function)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = f"{inside}{child.name}"
                yield from breakable(child, f"{name}.<locals>.", name)
            else:
                yield from breakable(child, inside, function)


def _broken(node: ast.AST) -> str | None:
    """Breaks the node in place and says how; None where it is of no kind that is broken."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        before = node.value
        node.value = not before if isinstance(before, bool) else before + 1
        return f"{before} -> {node.value}"
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in _SWAPPED:
        before = type(node.op)
        node.op = _SWAPPED[before]()  # type: ignore[assignment]
        return f"{before.__name__} -> {_SWAPPED[before].__name__}"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPPED:
        before = type(node.ops[0])
        node.ops[0] = _SWAPPED[before]()  # type: ignore[call-overload]
        return f"{before.__name__} -> {_SWAPPED[before].__name__}"
    return None


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for place, (node, function) in enumerate(breakable(tree)):
        words = _broken(copy.deepcopy(node)) or ""
        line = node.lineno  # type: ignore[attr-defined]
        yield Mutant(path.relative_to(ROOT), place, line, function, words)


def source_of(mutant: Mutant) -> str:
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    _broken(list(breakable(tree))[mutant.place][0])
    return ast.unparse(tree)


def candidates(mutant: Mutant) -> list[Path]:
    """The tests that may notice: of the file's name, of its room, and others that import it."""
    path = mutant.path
    own = Path("tests", path.with_name(f"{path.stem}_test.py"))
    room = Path("tests", *path.parts[:2])
    module = ".".join(path.with_suffix("").parts)
    folder = f"from {'.'.join(path.parent.parts)} import"

    def imports(tests: Path) -> bool:
        text = (ROOT / tests).read_text(encoding="utf-8")
        return f" {module} " in text.replace("\n", " ") or (folder in text and path.stem in text)

    every = sorted(one.relative_to(ROOT) for one in (ROOT / "tests").rglob("*_test.py"))
    direct = [one for one in every if one == own or imports(one)]
    # A constant of a module is where its name is known; a function is wherever it is called.
    near = [] if direct and not mutant.function else [one for one in every if room in one.parents]
    found = dict.fromkeys([*direct, *near])

    def order(tests: Path) -> tuple[bool, bool, bool, bool]:
        """What runs no round is quick, as a rule."""
        text = (ROOT / tests).read_text(encoding="utf-8")
        slow = any(word in text for word in ("executor", "tensorflow", "train("))
        return tests != own, room not in tests.parents, slow, tests not in direct

    return sorted(found, key=order)


def _reaches(whole: Outcome, mutant: Mutant) -> bool:
    """A constant outside of functions counts as reached by the tests that know its file's name."""
    return not mutant.function or f"{mutant.path}:{mutant.function}" in whole.reached


class Judge:
    """Tries mutants in a copy of the tree."""

    def __init__(self, folder: Path, most: float) -> None:
        self._copy = forked_tests.Copy(folder)
        self._most = most
        self._whole: dict[Path, Outcome] = {}

    def killer(self, mutant: Mutant) -> Path | None:
        """The tests that notice."""
        order = candidates(mutant)
        # The quick ones that are known to call it before those that are not known to.
        known = [one for one in order[1:] if one in self._whole]
        known.sort(key=lambda one: self._whole[one].seconds)
        spent = 0.0
        for tests in order[:1] + known + [one for one in order[1:] if one not in known]:
            whole = self._whole.get(tests)
            if whole and not (whole.passed and _reaches(whole, mutant)):
                continue
            if spent > self._most:
                break
            limit = max(LEAST_PATIENCE, PATIENCE * whole.seconds) if whole else self._most
            tried = self._try(tests, mutant, limit)
            spent += tried.seconds
            if not whole and tried.late:
                self._whole[tests] = tried  # Too slow to be of use here.
            elif not tried.passed and self._pass_whole(tests):
                return tests
            # Tests that pass beside the mutant are taken for those without it.
            self._whole.setdefault(tests, tried)
        return None

    def _pass_whole(self, tests: Path) -> bool:
        """Whether the tests pass without a mutant."""
        if tests not in self._whole:
            self._whole[tests] = self._copy.run(tests)
            if not self._whole[tests].passed:
                last = self._copy.said.read_text(errors="replace").strip().rpartition("\n")[2]
                print(f"left out, fails without a mutant: {tests}: {last}", flush=True)
        return self._whole[tests].passed

    def _try(self, tests: Path, mutant: Mutant, limit: float) -> Outcome:
        target = self._copy.folder / mutant.path
        before, times = target.read_bytes(), target.stat()
        target.write_text(source_of(mutant), encoding="utf-8")
        forked_tests.note_calls(target, str(mutant.path))
        os.utime(target, (0, 0))  # Never the time of what was compiled.
        try:
            return self._copy.run(tests, limit)
        finally:
            target.write_bytes(before)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _files(places: Sequence[str]) -> list[Path]:
    found = []
    for place in map(ROOT.joinpath, places):
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return found


def draw(places: Sequence[str], seed: int, only: Sequence[str] = ()) -> list[Mutant]:
    """In the order in which they are tried: one of each room, and again."""
    found = [mutant for path in _files(places) for mutant in mutants(path)]
    if only:
        found = [mutant for mutant in found if f"{mutant.path}:{mutant.line}" in only]
    random.Random(seed).shuffle(found)
    rooms: dict[str, list[Mutant]] = collections.defaultdict(list)
    for mutant in found:
        rooms[mutant.room].append(mutant)
    turns = itertools.zip_longest(*(rooms[name] for name in sorted(rooms)))
    return [mutant for turn in turns for mutant in turn if mutant]


def run(drawn: Sequence[Mutant], minutes: float, most: float) -> dict[str, list[bool]]:
    """Whether each that was tried is killed, by its room."""
    forked_tests.import_once()
    end = time.monotonic() + 60 * minutes
    tried: dict[str, list[bool]] = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Path(folder), most)
        for mutant in drawn:
            if time.monotonic() > end:
                break
            by = judge.killer(mutant)
            tried[mutant.room].append(by is not None)
            words = f"{mutant.path}:{mutant.line}  {mutant.words}"
            print(f"killed    {words}  {by}" if by else f"SURVIVED  {words}", flush=True)
    return tried


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="When to stop.")
    parser.add_argument("--seed", type=int, default=0, help="Which sample is drawn.")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="Of tests for one mutant (CPU)."
    )
    parser.add_argument("--only", action="append", default=[], help="PATH:LINE (repeatable).")
    parser.add_argument("places", nargs="*", default=DEFAULT, help="Files or folders to break.")
    given = parser.parse_args()
    drawn = draw(given.places, given.seed, given.only)
    print(
        f"{len(drawn):,} places; a sample of them for {given.minutes:g} minutes, seed {given.seed}"
    )
    tried = run(drawn, given.minutes, given.seconds)
    for room, killed in sorted(tried.items()):
        print(f"{room}: {sum(killed)} of {len(killed)} mutants killed")
    every = [one for killed in tried.values() for one in killed]
    print(f"score: {sum(every)} of {len(every)} mutants killed")


if __name__ == "__main__":
    main()
