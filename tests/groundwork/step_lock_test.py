import errno
import fcntl

import pytest

from groundwork.errors import UserError
from groundwork.locks import StepLock


def test_one_at_a_time_has_the_lock(tmp_path):
    one, other = StepLock(tmp_path / "step"), StepLock(tmp_path / "step")
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()


def test_a_file_system_without_locks_is_told_in_a_sentence(tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(UserError, match=r"step\.lock cannot be locked \(No locks available\)"):
        StepLock(tmp_path / "step").acquire()
