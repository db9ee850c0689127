"""A round is judged from outside its process: a crash or a hang is a verdict."""

import json
from typing import Any

import pytest

from fed_pretrain.checkup import federated, one_round
from fed_pretrain.checkup.verdict import Status
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.known_executors import DEFAULT_NAME, EXECUTORS, KnownExecutor
from fed_pretrain.executors.pjrt.versions import JAX


def test_the_expected_answer_is_one_gradient_step_by_hand() -> None:
    # Rows of four clients: x = 1..n with n = 2..5 and y = 2x + 0, 1, 2, 3.
    slope = sum(-x * (2 * x + c) for c, n in enumerate((2, 3, 4, 5)) for x in range(1, n + 1))
    assert one_round.expected(0.0) == pytest.approx(-0.1 * slope / 14)


def test_each_device_that_tensorflow_sees_has_a_line() -> None:
    verdicts = list(federated.devices(timeout_seconds=900))
    assert "device CPU:0" in [verdict.subject for verdict in verdicts]
    assert all(verdict.status is not Status.FAIL for verdict in verdicts)


def test_a_device_that_does_not_work_is_a_failure_with_a_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"CPU:0": {"seconds": 0.1}, "GPU:0": one_round.try_device("GPU:0")}
    monkeypatch.setattr(federated, "ask", lambda *unused: {"devices": found})
    sound, broken = list(federated.devices(1.0))[:2]
    assert sound.status is Status.OK
    assert broken.status is Status.FAIL
    assert "GPU:0" in broken.finding
    assert "leave GPU:0 out of --devices" in broken.cure


def test_a_hanging_executor_is_a_failure_that_says_so() -> None:
    verdict = federated.one_round(EXECUTORS["device"], timeout_seconds=0.01)
    assert verdict.status is Status.FAIL
    assert "no answer within" in verdict.finding


def test_a_crash_is_a_failure_with_the_childs_last_words_and_the_executors_cure() -> None:
    nonsense = KnownExecutor("nonsense", "", "no.module", "None", "use another")
    verdict = federated.one_round(nonsense, timeout_seconds=900)
    assert verdict.status is Status.FAIL
    assert "nonsense" in verdict.finding
    assert verdict.cure == "use another"


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n != DEFAULT_NAME)) for n in EXECUTORS],
)
def test_each_executor_gives_numpys_answer(name: str) -> None:
    if EXECUTORS[name].missing():
        pytest.skip(EXECUTORS[name].missing())
    verdict = federated.one_round(EXECUTORS[name], timeout_seconds=900)
    assert verdict.status is Status.OK, verdict.finding
    assert (f"CPU:0 (cpu) by jax {JAX}" in verdict.finding) == (name == "pjrt")


def test_nobody_is_blamed_for_an_executor_that_is_a_choice_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = "--executor=pjrt: no environment for a GPU: run `make pjrt-cuda`"

    def ask(question: str, _: float) -> dict[str, Any]:
        if json.loads(question)["devices"] == "GPU":
            raise federated.ChildFailed(told)
        return {"seconds": 1.0, "runs_on": ""}

    monkeypatch.setattr(federated, "ask", ask)
    monkeypatch.setattr(federated, "devices", lambda _: [])
    monkeypatch.setattr(KnownExecutor, "missing", lambda known: known.chosen)
    assert {verdict.status for verdict in federated.examine(1.0)} == {Status.OK, Status.NOTE}
    [verdict] = federated.examine(1.0, ExecutorOptions(executor="pjrt", devices="GPU"))
    assert (verdict.status, verdict.finding) == (Status.FAIL, told)
