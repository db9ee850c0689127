"""Seconds a round of the bound, of `device` and of stock TFF, interleaved in one process."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks.rounds import agreement, workload
from benchmarks.rounds.agreement import Agreement
from benchmarks.rounds.contestant import IN_FLIGHT, Contestant

GOAL_BOUND, ACCEPTED_BOUND, GOAL_STOCK = 1.10, 1.25, 1.6
GOAL_STOCK_OF = {"softmax": 3.0}


def measure(model: str, cohort: int, repeats: int) -> dict[str, Any]:
    """Run it in a process of its own: contestants share TensorFlow's settings."""
    with contextlib.ExitStack() as stack:
        contestants = _build(model, cohort, stack)
        begin = workload.fresh_weights(model)
        found = _agreements(model, cohort, contestants, begin)
        seconds, busy = _timed(contestants, repeats)
    return {
        "model": model,
        "parameters": sum(w.size for w in begin),
        "clients": cohort,
        "seconds": seconds,
        "cpu_seconds": busy,
        "agreements": [dataclasses.asdict(one) for one in found],
        "ratios": {
            "device / bound": ratio(seconds, found, "device", "bound"),
            "stock / device": ratio(seconds, found, "stock", "device"),
        },
    }


def _build(model: str, cohort: int, stack: contextlib.ExitStack) -> dict[str, Contestant]:
    from fed_pretrain.executors.device import placement
    from fed_pretrain.executors.executor_options import ExecutorOptions

    placement.place(ExecutorOptions())
    from benchmarks.rounds.bound import Bound
    from benchmarks.rounds.ours import Ours
    from benchmarks.rounds.stock import Stock

    makers: dict[str, Callable[[str, int], Contestant]] = {
        "bound": Bound,
        "device": Ours,
        "stock": Stock,
    }
    begin = workload.fresh_weights(model)
    made = {}
    for name, make in makers.items():
        made[name] = make(model, cohort)
        stack.callback(made[name].close)
        # Each compiles before the next is built: TFF's graphs upset Keras models made earlier.
        made[name].restart(begin)
        made[name].round()
    return made


def _agreements(
    model: str, cohort: int, contestants: dict[str, Contestant], begin: list[Any]
) -> list[Agreement]:
    """From fresh weights; if rounding parts stock TFF, why, and again from older weights."""
    fresh = agreement.compare(contestants, begin, "fresh")
    if fresh.holds(*contestants):
        return [fresh]
    from benchmarks.rounds.ours import Ours

    bound = contestants["bound"]
    reference = agreement.trajectory(bound, begin)
    nudged = agreement.trajectory(bound, agreement.nudged(begin))
    with contextlib.closing(Ours(model, cohort, "native")) as native:
        in_worker = agreement.trajectory(native, begin)
    evidence = {
        "bound, begun one unit in the last place away": nudged,
        "our process in TFF's worker (native)": in_worker,
    }
    more = {name: agreement.distances(path, reference) for name, path in evidence.items()}
    fresh = dataclasses.replace(fresh, differences={**fresh.differences, **more})
    older = agreement.warmed_up(bound, begin)
    name = f"{agreement.WARM_UP_ROUNDS} rounds old"
    return [fresh, agreement.compare(contestants, older, name)]


def _timed(
    contestants: dict[str, Contestant], repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    busy: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            began, used = time.perf_counter(), _cpu_seconds()
            contestant.round()
            seconds[name].append(time.perf_counter() - began)
            busy[name].append(_cpu_seconds() - used)
    return seconds, busy


def _cpu_seconds() -> float:
    """Of this process and its children: tells more than the clock when others use the machine."""
    root = psutil.Process()
    times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
    return float(sum(t.user + t.system for t in times))


def ratio(
    seconds: dict[str, list[float]], agreements: list[Agreement], slow: str, fast: str
) -> dict[str, Any] | None:
    """The median of the ratios of neighbouring rounds: what slows the machine slows both."""
    start = next((one.start for one in agreements if one.holds(slow, fast)), None)
    if start is None:
        return None
    ratios = [a / b for a, b in zip(seconds[slow], seconds[fast], strict=True)]
    return {"value": statistics.median(ratios), "agreed_from": start}


def print_found(found: dict[str, Any]) -> None:
    print(
        f"\n{found['model']} ({found['parameters']:,} parameters), {found['clients']} clients of "
        f"{workload.ROWS} rows, batches of {workload.BATCH}, {IN_FLIGHT} in flight, "
        f"{len(found['seconds']['bound'])} rounds each in turn"
    )
    for name, times in found["seconds"].items():
        print(
            f"  {name:7} median {statistics.median(times):7.3f} s, least {min(times):7.3f}, "
            f"CPU {statistics.median(found['cpu_seconds'][name]):7.3f}"
        )
    for one in found["agreements"]:
        print(f"  difference to the bound's weights after 1, 2, 3 rounds, {one['start']} weights:")
        for name, values in one["differences"].items():
            print(f"    {name}: " + ", ".join(f"{value:.1e}" for value in values))
    goals = {
        "device / bound": f"goal <= {GOAL_BOUND:.2f}, accepted <= {ACCEPTED_BOUND:.2f}",
        "stock / device": f"goal >= {GOAL_STOCK_OF.get(found['model'], GOAL_STOCK):.1f}",
    }
    for pair, goal in goals.items():
        ratio = found["ratios"][pair]
        if ratio is None:
            print(f"  {pair}: refused, the weights do not agree within {agreement.TOLERANCE:g}")
        else:
            print(f"  {pair} {ratio['value']:.2f} ({goal}; agreed from {ratio['agreed_from']})")
