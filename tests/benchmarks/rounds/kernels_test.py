"""What a profile says of the time that an operation itself takes."""

import types

from benchmarks.rounds import growth, kernels


def event(number, begin, length):
    return types.SimpleNamespace(metadata_id=number, offset_ps=begin, duration_ps=length)


def test_time_inside_an_operation_belongs_to_the_inner_one():
    names = {
        1: "step:StatefulPartitionedCall",
        2: "conv1/Conv2D:Conv2D",
        3: "ExecutorState::Process",
    }
    plane = types.SimpleNamespace(
        event_metadata={n: types.SimpleNamespace(name=name) for n, name in names.items()}
    )
    events = [event(3, 0, 100), event(1, 10, 80), event(2, 20, 30), event(2, 60, 10)]
    found = list(kernels.own_times(plane, types.SimpleNamespace(events=events)))
    assert ("StatefulPartitionedCall", 40) in found
    assert sum(value for kind, value in found if kind == "Conv2D") == 40


def test_the_law_is_found_from_costs_that_follow_it():
    law = {"round": 0.5, "client": 0.02, "row": 0.001}
    grid = [(10, 20), (50, 20), (250, 20), (10, 100), (10, 500)]
    points = [{"clients": n, "rows": rows} for n, rows in grid]
    points = [{**one, "cpu_seconds": growth.predicted(law, one)} for one in points]
    found = growth.fit(points)
    assert all(abs(found[name] / value - 1) < 1e-9 for name, value in law.items())
