import os
import subprocess
import sys

import pytest

from groundwork.errors import UserError
from groundwork.locks import WorkdirLock

HOLD = """
import sys, time
from groundwork.locks import WorkdirLock
with WorkdirLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(3000)
"""


def test_a_second_run_is_refused_and_told_who_holds_the_lock(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid} on"):
            WorkdirLock(tmp_path).acquire()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with WorkdirLock(tmp_path) as lock:
        assert lock.stale_owner is not None
        assert str(holder.pid) in lock.stale_owner


def test_a_released_lock_can_be_taken_again_and_names_nobody(tmp_path):
    with WorkdirLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
    with WorkdirLock(tmp_path) as lock:
        assert lock.stale_owner is None


def test_a_missing_work_directory_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="--workdir"):
        WorkdirLock(tmp_path / "absent").acquire()
