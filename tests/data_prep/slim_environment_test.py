"""The environment of environments/prepare.lock, without TensorFlow, makes the same datasets."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.store import manifest

ROOT = Path(__file__).resolve().parents[2]
SLIM = ROOT / ".cache" / "prepare" / "bin" / "python"


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_what_decides_bytes_has_the_same_version_in_both_locks() -> None:
    slim, whole = pins("environments/prepare.lock"), pins("requirements.lock")
    for name in ("apache-beam", "numpy", "pyarrow", "zstandard", "pillow", "google-crc32c"):
        assert slim[name] == whole[name], name
    assert not [name for name in slim if name.startswith("tensorflow")]


@pytest.mark.slow
@pytest.mark.skipif(not SLIM.exists(), reason="`make test-stores` runs it")
def test_the_slim_environment_makes_the_same_bytes(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with open(rows, "w") as file:
        for number in range(2000):
            row = {"user": f"u{number % 37}", "text": f"row {number}", "label": number % 7}
            file.write(json.dumps(row) + "\n")
    flags = [
        "--source=jsonl", f"--input={rows}", "--source_options=client=user,text=text,label=label",
        "--partition=dirichlet", "--num_clients=20", "--alpha=0.3", "--seed=4", "--workers=1",
    ]  # fmt: skip
    for name, python in (("slim", str(SLIM)), ("whole", sys.executable)):
        command = [python, "-m", "data_prep.prepare", *flags, f"--output={tmp_path / name}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert manifest.fingerprint_at(tmp_path / "slim") == manifest.fingerprint_at(tmp_path / "whole")
