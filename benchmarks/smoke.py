"""`--smoke` of a benchmark: the smallest figures, in seconds, and a check that they are there."""

import argparse
import math
from collections.abc import Mapping

HELP = "the smallest figures, in seconds; fails unless all are there"


def parser(description: str | None) -> argparse.ArgumentParser:
    """One of a benchmark, with the flag."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add(made)
    return made


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--smoke", action="store_true", help=HELP)


def check(figures: Mapping[str, float], count: int) -> None:
    """Exits with a sentence unless there are `count` figures, all of them positive numbers."""
    wrong = {name: value for name, value in figures.items() if not 0 < value < math.inf}
    if wrong or len(figures) != count:
        raise SystemExit(f"--smoke: {len(figures)} figures of {count}; not positive: {wrong}")
    print(f"smoke: {count} figures", flush=True)
