"""Clients with layers, optimizers and their own rates do on TFF's worker what they do here."""

import numpy as np
import pytest

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor_options import ExecutorOptions
from tests.fed_pretrain.algorithms.toy import Run, build, flat


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"personal": "regex:bias", "personal_steps": 1}, {"personal": (1,)}),
        ({"client_optimizer": "adamw", "client_optimizer_state": "kept"}, {}),
        (
            {"head_rounds": 1, "head_schedule": "step", "schedule_step_rounds": 1},
            {"head": (1,)},
        ),
    ],
)
def test_two_rounds_are_the_same_on_the_native_worker(executor, settings, parts) -> None:
    algorithm = build(ResolvedAlgorithm(alignment="none", **settings), **parts)
    here = Run(algorithm, executor)
    here.two_rounds()
    with creation.create(ExecutorOptions(executor="native")) as native:
        there = Run(algorithm, native)
        there.two_rounds()
    np.testing.assert_allclose(flat(there.weights), flat(here.weights), atol=1e-6)
    for client, state in here.client_states.items():
        other = there.client_states[client]
        for name in ("personal", "slots"):
            for mine, theirs in zip(state[name], other[name], strict=True):
                np.testing.assert_allclose(theirs, mine, atol=1e-6)
