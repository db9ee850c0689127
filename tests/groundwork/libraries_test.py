"""What the libraries read when they are imported is set before any program imports them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundwork import libraries

ROOT = Path(__file__).parents[2]
_SET = "os.environ['TF_USE_LEGACY_KERAS'], os.environ['TF_ENABLE_ONEDNN_OPTS']"


@pytest.mark.parametrize("package", ["fed_pretrain", "groundwork.command_line"])
def test_it_is_set_before_tensorflow_is_imported(package: str) -> None:
    prepare = "" if package == "fed_pretrain" else f"; {package}.quiet_libraries()"
    check = f"import os, sys, {package}{prepare}; print({_SET})"
    kept = {k: v for k, v in os.environ.items() if k not in libraries._NEEDED}
    script = f"{check}; assert 'tensorflow' not in sys.modules"
    told = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=kept, text=True)
    assert told == "1 1\n"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "1")
    libraries.prepare()
    assert os.environ["GRPC_ENABLE_FORK_SUPPORT"] == "1"
