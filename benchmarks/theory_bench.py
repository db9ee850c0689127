"""How fast the theory laboratory is, and how its time grows with d, m and n.

    python -m benchmarks.theory_bench             about two minutes on two cores
    python -m benchmarks.theory_bench --smoke     seconds: two sizes of one axis

The default sweep is run whole (goal: under 3 minutes). The growth is measured on 8 settings x 4
seeds x 100 local steps, the best of three repetitions after one that compiles.
"""

import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import machine, smoke
from fed_pretrain.theory import conduct, laboratory
from fed_pretrain.theory.setting import Problem, Setting

GOAL_SECONDS = 180
BASE = Problem(steps=100, test_points=100)
AXES = {
    "d (dimension of a patch)": [{"dimension": d} for d in (200, 400, 800, 1600)],
    "m (filters of each class)": [{"filters": m} for m in (10, 20, 40, 80)],
    "n / 2 (samples of a client)": [{"samples": n} for n in (10, 20, 40, 80)],
    "K (clients, 10 samples each)": [{"clients": k} for k in (2, 4, 8, 16)],
}


def seconds(problem: Problem, repeats: int = 3) -> float:
    settings = [Setting(h=h, tau=10, sigma_0=s) for h in (0.0, 0.5) for s in (0.01, 0.03, 0.1, 0.3)]
    taken = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        laboratory.run(problem, settings, range(4), dtype="float32")
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def main() -> None:
    parser = smoke.parser(__doc__)
    parser.add_argument("--growth_only", action="store_true", help="leave the default sweep out")
    options = parser.parse_args()
    machine.announce()
    if options.smoke:
        axis = next(iter(AXES))
        problem = dataclasses.replace(BASE, steps=10, test_points=10)
        smoke.check(_growth(axis, AXES[axis][:2], problem, repeats=1), count=2)
        return
    if not options.growth_only:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            done = conduct.conduct(conduct.TheoryConfig("default", folder))
            taken = time.perf_counter() - began
        verdict = "met" if taken < GOAL_SECONDS else "MISSED"
        print(
            f"default sweep: {taken:.0f} s with figures, {done.seconds:.0f} s without "
            f"(goal {GOAL_SECONDS} s: {verdict})"
        )
    for axis, changes in AXES.items():
        _growth(axis, changes, BASE)


def _growth(
    axis: str, changes: Sequence[dict[str, int]], base: Problem, repeats: int = 3
) -> dict[str, float]:
    """Prints the seconds of each size along an axis, and gives them."""
    print(axis)
    found: dict[str, float] = {}
    for change in changes:
        taken = seconds(dataclasses.replace(base, **change), repeats)
        (value,) = change.values()
        found[str(value)] = taken
        first = next(iter(found.values()))
        print(f"  {value:5d}: {taken:6.2f} s, {taken / first:5.1f} times the first")
    return found


if __name__ == "__main__":
    main()
