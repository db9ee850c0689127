"""Seconds and peak memory of a round on `device`, each point in a process of its own."""

import statistics
import time
from typing import Any

from benchmarks.rounds import child, workload

GOAL_CLIENTS, GOAL_MEGABYTES = 500, 1600


def point(model: str, clients: int, in_flight: int, rounds: int) -> dict[str, Any]:
    finished = child.call(
        "size.measure", model=model, clients=clients, in_flight=in_flight, rounds=rounds
    )
    return {**finished.result, "peak_megabytes": round(finished.peak_megabytes, 1)}


def measure(model: str, clients: int, in_flight: int, rounds: int) -> dict[str, Any]:
    from benchmarks.rounds import ours
    from fed_pretrain.executors.creation import create
    from fed_pretrain.executors.executor_options import ExecutorOptions

    executor = create(ExecutorOptions(clients_in_flight=in_flight))
    algorithm = workload.algorithm(model)
    state = executor.initialize(algorithm.process)
    cohort = ours.clients(model, clients)
    state = executor.run_round(algorithm, state, cohort[:in_flight]).state
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        state = executor.run_round(algorithm, state, cohort).state
        seconds.append(time.perf_counter() - began)
    executor.close()
    return {
        "model": model,
        "parameters": sum(w.size for w in state.global_model_weights.trainable),
        "clients": clients,
        "clients_in_flight": in_flight,
        "rounds": rounds,
        "seconds": round(statistics.median(seconds), 4),
    }


def print_point(one: dict[str, Any]) -> None:
    print(
        f"  {one['model']:16} {one['parameters']:11,} parameters, {one['clients']:5} clients, "
        f"{one['clients_in_flight']} in flight: {one['seconds']:7.3f} s a round, peak "
        f"{one['peak_megabytes']:5.0f} MB",
        flush=True,
    )
