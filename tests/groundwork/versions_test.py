"""Every program names its versions at once, and records are put into words."""

import os
import runpy
import subprocess
import sys

from fed_pretrain import console
from groundwork import versions


def _asked_for_its_version(module: str) -> None:
    """In its own process, which ends with 3 if it imported TensorFlow."""
    sys.argv = [module, "--version"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(3 if "tensorflow" in sys.modules else int(end.code or 0))


def test_every_program_prints_its_version_and_imports_no_tensorflow() -> None:
    programs = list(console.COMMANDS.values())
    code = (
        "import os, sys\n"
        "from tests.groundwork.versions_test import _asked_for_its_version as asked\n"
        "for module in sys.argv[1:]:\n"
        "    child = os.fork() or asked(module)\n"
        "    assert os.waitpid(child, 0)[1] == 0, module\n"
    )
    command = [sys.executable, "-c", code, *programs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{versions.table()}\n" * len(programs)


def test_the_installed_program_prints_its_version(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fed-pretrain", "--version"])
    assert console.main() == 0
    assert versions.VERSION in capsys.readouterr().out


def test_records_are_one_sentence_each_and_the_most_frequent_comes_first() -> None:
    old = {
        "fed_pretrain": "0.0.9",
        "commit": "abc",
        "changes": "uncommitted",
        "numpy": "1.0",
        "platform": "Linux",
    }
    new = old | {"numpy": "1.1", "devices": "CPU"}
    assert versions.sentences([new, {}]) == [
        "made by fed_pretrain 0.0.9 (commit abc with uncommitted changes) with numpy 1.1, on Linux,"
        " CPU"
    ]
    first, second = versions.sentences([new, old, old])
    assert first.startswith("partly made by fed_pretrain 0.0.9 (commit abc with")
    assert first.endswith("numpy 1.0, on Linux")
    assert "partly made" in second
    assert versions.sentences([]) == []
