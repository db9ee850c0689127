"""A round is judged from outside its process: a crash or a hang is a verdict."""

import pytest

from fed_pretrain.checkup import federated, one_round
from fed_pretrain.checkup.verdict import Status

BAZEL_SMOKE = True


def test_the_expected_answer_is_one_gradient_step_by_hand() -> None:
    # Rows of four clients: x = 1..n with n = 2..5 and y = 2x + 0, 1, 2, 3.
    slope = sum(-x * (2 * x + c) for c, n in enumerate((2, 3, 4, 5)) for x in range(1, n + 1))
    assert one_round.expected(0.0) == pytest.approx(-0.1 * slope / 14)


def test_tensorflow_sees_a_device() -> None:
    verdict = federated.devices(timeout_seconds=900)
    assert verdict.status is not Status.FAIL
    assert "CPU:0" in verdict.finding


def test_a_hanging_executor_is_a_failure_that_says_so() -> None:
    verdict = federated.one_round("device", timeout_seconds=0.01)
    assert verdict.status is Status.FAIL
    assert "no answer within" in verdict.finding


def test_a_crash_is_a_failure_with_the_childs_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(federated._CURES, "nonsense", "use another")
    verdict = federated.one_round("nonsense", timeout_seconds=900)
    assert verdict.status is Status.FAIL
    assert "nonsense" in verdict.finding


@pytest.mark.parametrize(
    "name", ["device", *(pytest.param(n, marks=pytest.mark.slow) for n in ("native", "beam"))]
)
def test_each_executor_gives_numpys_answer(name: str) -> None:
    verdict = federated.one_round(name, timeout_seconds=900)
    assert verdict.status is Status.OK, verdict.finding
