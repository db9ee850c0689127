"""A temporary file says whose it is, and goes when its owner is dead, and not before."""

import os
import subprocess
import sys
from pathlib import Path

from groundwork import owners


def of_a_dead_process() -> str:
    code = "from groundwork import owners; print(owners.mark())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_only_what_belongs_to_a_dead_process_of_this_machine_is_removed(tmp_path: Path) -> None:
    dead = of_a_dead_process()
    machine = dead.split("-")[1]
    kept = {
        f"mine-{owners.mark()}.run",
        f"elsewhere-{dead.replace(machine, '0' * 8)}.run",
        "unmarked.run",
    }
    for name in (*kept, f"left-{dead}.run"):
        (tmp_path / name).write_text("x")
    (tmp_path / f"folder-{dead}").mkdir()
    (tmp_path / f"folder-{dead}" / "inside").write_text("x")
    assert owners.remove_of_the_dead(tmp_path.iterdir()) == 2
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_number_that_another_process_has_now_names_a_dead_owner() -> None:
    *words, _ = owners.mark().split("-")
    assert owners.is_dead("-".join([*words, "1"]))


def test_a_process_that_ended_and_is_not_yet_reaped_is_dead() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, owners.mark().encode())
        os._exit(0)
    mark = os.read(reading, 200).decode()
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        assert owners.is_dead(mark)
    finally:
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
