"""Who works how much, drops out or is late: pure functions of seed and round."""

import types

import numpy as np
import pytest

from fed_pretrain.clients import uneven_work
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.clients.uneven_work import SystemConfig
from groundwork.errors import UserError

CLIENTS = [f"c{i}" for i in range(40)]
INDEX = types.SimpleNamespace(
    num_examples=np.full(40, 100), position=lambda client_id: int(client_id[1:])
)
WORK = LocalWork(batch_size=10)


def plan(config: SystemConfig, round_number: int = 1, seed: int = 0, **late):
    return uneven_work.plan_round(config, WORK, CLIENTS, INDEX, seed, round_number, **late)


def test_nothing_happens_by_default() -> None:
    assert [(p.client_id, p.work, p.lag) for p in plan(SystemConfig())] == [
        (c, WORK, 0) for c in CLIENTS
    ]


def test_thirty_percent_draw_their_epochs_anew_each_round() -> None:
    config = SystemConfig(varied_share=0.3)
    drawn = uneven_work.drawn_epochs(config, CLIENTS, 0, 1)
    assert len(drawn) == 12
    assert set(drawn.values()) <= {1, 2, 3, 4, 5}
    assert drawn != uneven_work.drawn_epochs(config, CLIENTS, 0, 2)
    assert drawn == uneven_work.drawn_epochs(config, CLIENTS, 0, 1)
    works = {p.client_id: p.work.epochs for p in plan(config)}
    assert works == {c: drawn.get(c, 1) for c in CLIENTS}


def test_all_of_one_to_five_are_drawn() -> None:
    config = SystemConfig(varied_share=1.0)
    drawn = [e for r in range(20) for e in uneven_work.drawn_epochs(config, CLIENTS, 0, r).values()]
    shares = np.bincount(drawn, minlength=6)[1:] / len(drawn)
    assert np.abs(shares - 0.2).max() < 0.05


def test_dropouts_are_absent() -> None:
    rounds = [len(plan(SystemConfig(dropout_share=0.25), r)) for r in range(20)]
    assert 0.65 < np.mean(rounds) / 40 < 0.85
    assert len(set(rounds)) > 1


def test_a_deadline_shortens_the_work_of_slow_devices() -> None:
    config = SystemConfig(speed_spread=1.0, deadline_steps=10)
    for p in plan(config):
        able = int(10 * uneven_work.speed(config, 0, p.client_id))
        assert p.work.num_steps(100) == min(10, able)
    dropped = SystemConfig(speed_spread=1.0, deadline_steps=10, stragglers="drop")
    whole = [p.client_id for p in plan(dropped)]
    assert whole == [c for c in CLIENTS if int(10 * uneven_work.speed(config, 0, c)) >= 10]
    assert 0 < len(whole) < 40
    # Who needs exactly as long as there is has not missed the deadline.
    assert len(plan(SystemConfig(deadline_steps=10, stragglers="drop"))) == 40
    assert not plan(SystemConfig(deadline_steps=9, stragglers="drop"))
    short = SystemConfig(speed_spread=1.0, deadline_steps=1)
    able = [c for c in CLIENTS if uneven_work.speed(short, 0, c) >= 1]
    assert [p.client_id for p in plan(short)] == able
    assert 0 < len(able) < 40


def test_late_updates_arrive_in_the_round_their_device_is_done() -> None:
    config = SystemConfig(speed_spread=1.0, deadline_steps=10, stragglers="late")
    arrived = {}
    for number in range(1, 6):
        for p in plan(config, number, late_rounds=3, cohort_of=lambda r: CLIENTS):
            assert p.began + p.lag == number
            assert p.began >= 1
            arrived.setdefault((p.began, p.client_id), []).append(number)
    assert all(len(rounds) == 1 for rounds in arrived.values())
    for client in CLIENTS:
        able = int(10 * uneven_work.speed(config, 0, client))
        lag = -(-10 // able) - 1 if able else 99
        assert arrived.get((1, client)) == ([1 + lag] if lag <= 3 else None)


def test_late_payloads_say_when_they_began() -> None:
    read = uneven_work.late_read(lambda: {"x": np.zeros(2)}, 2)
    assert read()["lag"] == 2
    assert read()["lag"].dtype == np.int32


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"varied_share": 1.5}, "share"),
        ({"stragglers": "wait"}, "not one of"),
        ({"speed_spread": 1.0}, "deadline"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, reason) -> None:
    with pytest.raises(UserError, match=reason):
        SystemConfig(**settings)


def test_late_needs_models_kept() -> None:
    config = SystemConfig(speed_spread=1.0, deadline_steps=10, stragglers="late")
    with pytest.raises(UserError, match="late_rounds"):
        plan(config)
