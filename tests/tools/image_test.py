"""The image: what is copied exists, its user is not root, and its steps work in a chroot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fed_pretrain import console
from tools import build_in_chroot

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / ".cache" / "schemas" / "bin"
STAGES = build_in_chroot.stages((ROOT / "Dockerfile").read_text())


def test_continued_lines_and_comments_of_a_dockerfile_are_understood() -> None:
    text = (
        "# a comment\nFROM debian:x AS base\nRUN one \\\n    && two\n# more\nFROM base\nUSER me\n"
    )
    first, last = build_in_chroot.stages(text)
    assert (first.base, first.name, first.steps) == (
        "debian:x",
        "base",
        [("RUN", "one      && two")],
    )
    assert build_in_chroot.chain([first, last], "") == [first, last]
    with pytest.raises(build_in_chroot.Refused, match="the Dockerfile has base"):
        build_in_chroot.chain([first, last], "none")


def test_what_is_copied_exists_and_nobody_runs_as_root() -> None:
    copied = [
        source
        for stage in STAGES
        for word, rest in stage.steps
        if word == "COPY" and not rest.startswith("--")
        for source in rest.split()[:-1]
    ]
    assert copied
    assert not [source for source in copied if not list(ROOT.glob(source))]
    ends = [stage for stage in STAGES if any(word == "ENTRYPOINT" for word, _ in stage.steps)]
    assert len(ends) == 4
    for end in ends:
        users = [s for one in build_in_chroot.chain(STAGES, end.name) for s in one.steps]
        assert ("USER", "researcher") in users


def test_the_examples_run_commands_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    job, _ = yaml.safe_load_all((ROOT / "deploy" / "job.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    commands = [service["command"] for service in services.values()] + [container["args"]]
    assert {command[0] for command in commands} <= set(console.COMMANDS)


@pytest.mark.slow
@pytest.mark.skipif(not SCHEMAS.exists(), reason="`make test-image` runs this")
def test_the_examples_satisfy_their_schemas() -> None:
    for command in (
        ["check-jsonschema", "--builtin-schema=vendor.compose-spec", "deploy/compose.yaml"],
        ["kubernetes-validate", "--strict", "deploy/job.yaml"],
    ):
        subprocess.run([SCHEMAS / command[0], *command[1:]], cwd=ROOT, check=True)


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("debootstrap") is None or not SCHEMAS.exists(),
    reason="`make test-image` as root with debootstrap runs this",
)
def test_the_steps_of_the_image_make_a_tool_that_trains(tmp_path) -> None:
    """LEND names this machine's files that reach its package index, with colons."""
    lent = [f"--lend={name}" for name in filter(None, os.environ.get("LEND", "").split(":"))]
    command = [
        sys.executable,
        ROOT / "tools" / "build_in_chroot.py",
        f"--root={tmp_path / 'image'}",
    ]
    run = ["train", "--task=digits", "--rounds=2", "--workdir=runs/digits"]
    done = subprocess.run(
        [*command, *lent, "--", *run], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "all 2 rounds done: runs/digits" in done.stdout
    assert (tmp_path / "image" / "studies" / "runs" / "digits" / "SUCCESS").stat().st_uid == 1000
