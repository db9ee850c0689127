"""How a round's time and memory grow: with clients, with the model, and with clients in flight."""

from collections.abc import Iterator
from typing import Any

from benchmarks.rounds import size
from benchmarks.rounds.contestant import IN_FLIGHT

COHORTS = (10, 30, 100, 300, 1000)
COHORT_MODELS = ("softmax", "cnn")
WIDTHS = (64, 512, 4096, 16384)
FLIGHTS = (1, 2, 4, 8)
FIXED_CLIENTS = 20
FEW_CLIENTS, MANY_ROUNDS = 100, 3

CLIENTS, PARAMETERS, IN_FLIGHTS = "clients", "parameters", "clients_in_flight"


def points() -> Iterator[dict[str, Any]]:
    """One a fresh process; `axis` says what was varied."""
    for model in COHORT_MODELS:
        for cohort in COHORTS:
            yield _point(CLIENTS, model, cohort, IN_FLIGHT)
    for width in WIDTHS:
        yield _point(PARAMETERS, f"perceptron_{width}", FIXED_CLIENTS, IN_FLIGHT)
    for in_flight in FLIGHTS:
        yield _point(IN_FLIGHTS, "cnn", FIXED_CLIENTS, in_flight)


def _point(axis: str, model: str, clients: int, in_flight: int) -> dict[str, Any]:
    rounds = MANY_ROUNDS if clients <= FEW_CLIENTS else 1
    return {"axis": axis, **size.point(model, clients, in_flight, rounds)}
