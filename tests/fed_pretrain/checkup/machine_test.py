"""The doctor's verdicts on the machine name what is wrong and what to do."""

import re
from pathlib import Path

import pytest

from fed_pretrain.checkup import machine
from fed_pretrain.checkup.verdict import Status, Verdict, line
from groundwork import embedded_packages

ROOT = Path(__file__).resolve().parents[3]


def test_this_environment_passes_every_check(tmp_path: Path) -> None:
    failed = [
        verdict for verdict in machine.examine(str(tmp_path)) if verdict.status is Status.FAIL
    ]
    assert failed == []


def test_the_versions_it_wants_are_those_of_the_lock() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
    assert {one: pins[one] for one in machine.VERSIONS} == machine.VERSIONS


def test_another_python_is_a_failure_with_a_cure() -> None:
    verdict = machine.python((3, 12, 1))
    assert verdict.status is Status.FAIL
    assert "3.11" in verdict.finding
    assert "make .venv" in verdict.cure


def test_another_or_missing_version_is_a_failure() -> None:
    assert "but 9.9 is needed" in machine.version("numpy", "9.9").finding
    assert "not installed" in machine.version("no-such-distribution", "1.0").finding


def test_too_little_disk_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "DISK_GIGABYTES", 1e9)
    assert machine.disk(str(tmp_path / "not" / "made" / "yet")).status is Status.FAIL


def test_a_missing_and_a_damaged_package_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded_packages, "installed_root", lambda: tmp_path)
    (tmp_path / "mlxtend").mkdir()
    verdict = next(machine.embedded())
    assert verdict.status is Status.FAIL
    assert "chitchat" in verdict.finding
    assert "damaged: mlxtend" in verdict.finding


def test_a_line_holds_status_subject_finding_and_cure() -> None:
    text = line(Verdict("disk", Status.FAIL, "1 GB free", "free 2 GB"))
    assert re.fullmatch(r"FAIL  disk +1 GB free\n +-> free 2 GB", text)
