"""Breaks the code in one place at a time and counts how often the tests that mirror it notice.

  python -m tools.mutants --minutes=10 --seed=0 fed_pretrain/algorithms fed_pretrain/reporting

A sample: places are drawn by the seed from the files named, until the time is over. A mutant lives
in a copy of the tree, is tried by the test of its file's name, then by those of its folder, and is
killed when they fail or take too long. `--only=PATH:LINE` tries the places of one line again.
"""

import argparse
import ast
import copy
import dataclasses
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("groundwork", "data_prep", "fed_pretrain", "pipelines", "tests", "tools")
SETTINGS = ("pyproject.toml",)
DEFAULT = (
    "fed_pretrain/algorithms",
    "fed_pretrain/probes",
    "fed_pretrain/executors/graphs/map_reduce.py",
    "fed_pretrain/executors/device/device_program.py",
    "fed_pretrain/reporting",
)
LONGEST_TEST = 1200
PATIENCE = 6
"""A mutant's tests may take this many times what they took without it."""
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
    words: str


def breakable(tree: ast.AST) -> Iterator[ast.AST]:
    """Operators, comparisons and numbers, but for those in annotations."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                if _broken(copy.deepcopy(child)) is not None:
                    yield child
                yield from breakable(child)


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
    for place, node in enumerate(breakable(tree)):
        words = _broken(copy.deepcopy(node)) or ""
        yield Mutant(path.relative_to(ROOT), place, node.lineno, words)  # type: ignore[attr-defined]


def source_of(mutant: Mutant) -> str:
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    _broken(list(breakable(tree))[mutant.place])
    return ast.unparse(tree)


def mirrors(path: Path) -> list[Path]:
    """The tests of a file: those of its name, and those of the nearest folder that has any."""
    own = Path("tests", path.with_name(f"{path.stem}_test.py"))
    folders = (Path("tests", parent) for parent in path.parents)
    near = next((one for one in folders if any((ROOT / one).glob("*_test.py"))), None)
    return [one for one in (own, near) if one is not None and (ROOT / one).exists()]


class Copy:
    """A copy of the tree, where mutants are tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds: dict[Path, float | None] = {}
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in SETTINGS:
            shutil.copy(ROOT / name, folder / name)

    def passes(self, tests: Path, limit: float = LONGEST_TEST) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", str(tests)]
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                timeout=limit,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def sound(self, tests: Path) -> float | None:
        """The seconds these tests take without a mutant; None where they do not pass."""
        if tests not in self._seconds:
            began = time.monotonic()
            passed = self.passes(tests)
            self._seconds[tests] = time.monotonic() - began if passed else None
        return self._seconds[tests]

    def kills(self, mutant: Mutant, tests: Path) -> bool:
        target = self._folder / mutant.path
        before = target.read_text(encoding="utf-8")
        target.write_text(source_of(mutant), encoding="utf-8")
        try:
            return not self.passes(tests, PATIENCE * (self.sound(tests) or LONGEST_TEST))
        finally:
            target.write_text(before, encoding="utf-8")


def _files(places: Sequence[str]) -> list[Path]:
    found = []
    for place in map(ROOT.joinpath, places):
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return found


def run(
    places: Sequence[str], minutes: float, seed: int, only: Sequence[str] = ()
) -> tuple[int, int]:
    """Killed and tried."""
    drawn = [mutant for path in _files(places) for mutant in mutants(path)]
    if only:
        drawn = [mutant for mutant in drawn if f"{mutant.path}:{mutant.line}" in only]
    random.Random(seed).shuffle(drawn)
    print(f"{len(drawn):,} places; a sample of them for {minutes:g} minutes, seed {seed}")
    end = time.monotonic() + 60 * minutes
    killed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Copy(Path(folder))
        for mutant in drawn:
            if time.monotonic() > end:
                break
            tests = [one for one in mirrors(mutant.path) if tree.sound(one) is not None]
            if not tests:
                print(f"no sound tests  {mutant.path}:{mutant.line}", flush=True)
                continue
            noticed = any(tree.kills(mutant, one) for one in tests)
            killed, tried = killed + noticed, tried + 1
            word = "killed  " if noticed else "SURVIVED"
            print(f"{word}  {mutant.path}:{mutant.line}  {mutant.words}", flush=True)
    return killed, tried


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="When to stop.")
    parser.add_argument("--seed", type=int, default=0, help="Which sample is drawn.")
    parser.add_argument("--only", action="append", default=[], help="PATH:LINE (repeatable).")
    parser.add_argument("places", nargs="*", default=DEFAULT, help="Files or folders to break.")
    given = parser.parse_args()
    killed, tried = run(given.places, given.minutes, given.seed, given.only)
    print(f"score: {killed} of {tried} mutants killed")


if __name__ == "__main__":
    main()
