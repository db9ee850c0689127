"""One program serves every rate and strength, with the bits of a program made for them."""

import dataclasses

import numpy as np
import pytest

from fed_pretrain.algorithms import known_server_optimizers
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from tests.fed_pretrain.algorithms import toy

# One of each pair of numbers has no short binary form, and their complements have other bits.
ONE = {"client_learning_rate": 0.31, "server_learning_rate": 0.7, "server_epsilon": 0.01}
OTHER = {"client_learning_rate": 0.17, "server_learning_rate": 0.45, "server_epsilon": 0.003}
ADAPTIVE = {"server_beta1": (0.9, 0.83), "server_beta2": (0.99, 0.973)}
LOCAL = {
    "client_momentum": (0.5, 0.87),
    "client_weight_decay": (0.01, 0.0013),
    "client_clip_norm": (0.4, 1.7),
}
WAVE = {
    "client_schedule": ("cosine",) * 2,
    "head_schedule": ("step",) * 2,
    "schedule_step_rounds": (1, 2),
    "server_schedule": ("cosine",) * 2,
    "warmup_rounds": (1, 2),
    "schedule_rounds": (4, 7),
    "schedule_final_factor": (0.3, 0.07),
}
DROPS = {
    "client_schedule": ("step",) * 2,
    "server_schedule": ("step",) * 2,
    "schedule_step_rounds": (2, 1),
    "schedule_step_factor": (0.5, 0.7),
}
UPDATES = {
    "sgd": LOCAL | WAVE,
    "proximal": {"proximal_strength": (0.5, 0.03), "head_learning_rate": (0.1, 0.3)},
    "nova": {"client_momentum": (0.5, 0.87)},
    "feddyn": {"dyn_alpha": (0.1, 0.07), "population_rows": (toy.ROWS, 41)},
    "scaffold": {"population_rows": (toy.ROWS, 41)},
    "mimelite": {"server_momentum": (0.5, 0.83)},
}
SERVERS = {
    "sgd": DROPS | {"server_momentum": (0.9, 0.83), "server_weight_decay": (0.1, 0.007)},
    "lamb": ADAPTIVE | {"server_weight_decay": (0.1, 0.013)},
    "adagrad": {"server_initial_accumulator": (0.1, 0.03)},
    "yogi": ADAPTIVE | {"server_initial_accumulator": (0.1, 0.03)},
}
INDEPENDENT = {
    "weighting": ("uniform",) * 2,
    "dp_noise_multiplier": (0.3, 0.07),
    "dp_clip_norm": (0.31, 0.17),
    "clients_per_round": (3, 4),
    "seed": (0, 2**40),
}
CORRELATED = INDEPENDENT | {
    "dp_noise": ("correlated",) * 2,
    "sampling": ("all",) * 2,
    "dp_restart_rounds": (2, 3),
}
PRIVATE = {"private": INDEPENDENT, "correlated": CORRELATED}
FAST = ("sgd-lamb", "feddyn-sgd", "private-sgd")


def _cases():
    names = [(update, "lamb" if update == "sgd" else "sgd") for update in known_updates.names()]
    names += [("sgd", server) for server in known_server_optimizers.names() if server != "lamb"]
    names += [(name, "sgd") for name in PRIVATE]
    for update, server in names:
        slow = [] if f"{update}-{server}" in FAST else [pytest.mark.slow]
        yield pytest.param(update, server, id=f"{update}-{server}", marks=slow)


def _configs(update, server):
    shared = {"client_update": update, "server_optimizer": server, "alignment": "none"}
    shared |= {"clients_per_round": 3, "population": toy.POPULATION, "population_rows": toy.ROWS}
    if update in PRIVATE:
        shared["client_update"], varied = "sgd", PRIVATE[update]
    elif update == "feddyn":
        varied = UPDATES[update]
    else:
        varied = UPDATES.get(update, {}) | SERVERS.get(server, ADAPTIVE)
    if update == "nova":
        varied.pop("server_weight_decay")
    return [
        ResolvedAlgorithm(**shared | rates | {name: pair[i] for name, pair in varied.items()})
        for i, rates in enumerate((ONE, OTHER))
    ]


def _two_rounds(algorithm, executor):
    run = toy.Run(algorithm, executor)
    first = algorithm.initial_state(executor)
    run.state = run.state._replace(
        **{part: first[part] for part in ("client_work", "aggregator", "finalizer")}
    )
    return run.two_rounds()


@pytest.mark.parametrize(("update", "server"), _cases())
def test_a_program_of_other_numbers_gives_the_bits_of_ones_own(update, server, executor):
    one, other = _configs(update, server)
    head = (1,) if one.moves_head_apart else ()
    shared, own = toy.build(one, head=head), toy.build(other, head=head)
    expected = toy.Run(own, executor).two_rounds()
    found = _two_rounds(dataclasses.replace(shared, config=other), executor)
    assert [w.tobytes() for w in found] == [w.tobytes() for w in expected]
    assert np.isfinite(toy.flat(expected)).all()
    assert not np.array_equal(toy.flat(expected), toy.flat(_two_rounds(shared, executor)))
