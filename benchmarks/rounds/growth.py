"""How the cost of a round grows with clients, rows, parameters and cores."""

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.cases import CASES, Case, clients

if TYPE_CHECKING:
    from benchmarks.rounds.ours import Ours

CLIENTS, ROWS, WIDTHS, CORES = (10, 30, 90), (20, 60, 180), (64, 512, 4096), (1, 2)
FEW_CLIENTS, FEW_ROWS, REPEATS = 10, 20, 3
HELD_OUT = "cnn_50"
Point = dict[str, Any]


def measure_cnn() -> list[Point]:
    """By clients and by rows; last a case that the fit does not see."""
    from benchmarks.rounds.ours import Ours

    grid = [(n, FEW_ROWS) for n in CLIENTS] + [(FEW_CLIENTS, rows) for rows in ROWS[1:]]
    wanted = [Case("cnn", n, rows) for n, rows in grid]
    ours = Ours("cnn", clients(wanted[0]), wanted[0].batch, wanted[0].rate)
    return [point(ours, case) for case in [*wanted, CASES[HELD_OUT]]]


def measure_width(width: int) -> Point:
    from benchmarks.rounds.ours import Ours

    case = Case(f"perceptron_{width}", FEW_CLIENTS, FEW_ROWS)
    return point(Ours(case.model, clients(case), case.batch, case.rate), case)


def measure_cores(cores: int) -> Point:
    from benchmarks.rounds.ours import Ours

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    case = CASES["cnn_10"]
    return {"cores": cores, **point(Ours("cnn", clients(case), case.batch, case.rate, cores), case)}


def point(ours: "Ours", case: Case) -> Point:
    ours.work_on(clients(case))
    ours.round()
    seconds, cpu_seconds = map(statistics.median, zip(*timed(ours), strict=True))
    return {
        "clients": case.clients,
        "rows": case.examples,
        "parameters": sum(w.size for w in ours.weights()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }


def timed(ours: "Ours") -> list[tuple[float, float]]:
    """(seconds, CPU seconds) of each of a few rounds."""
    spent = []
    for _ in range(REPEATS):
        began, cpu = time.perf_counter(), time.process_time()
        ours.round()
        spent.append((time.perf_counter() - began, time.process_time() - cpu))
    return spent


def fit(points: list[Point]) -> dict[str, float]:
    """CPU seconds = a round's + clients * (a client's + rows * a row's), by relative errors."""
    terms = np.array([[1, p["clients"], p["clients"] * p["rows"]] for p in points], float)
    measured = np.array([p["cpu_seconds"] for p in points])
    found, *_ = np.linalg.lstsq(terms / measured[:, None], np.ones(len(points)), rcond=None)
    return dict(zip(("round", "client", "row"), map(float, found), strict=True))


def predicted(law: dict[str, float], one: Point) -> float:
    return law["round"] + one["clients"] * (law["client"] + one["rows"] * law["row"])


def slope(points: list[Point], key: str) -> float:
    """CPU seconds more for each one more of `key`, by least squares."""
    values = [p[key] for p in points]
    return float(np.polyfit(values, [p["cpu_seconds"] for p in points], 1)[0])
