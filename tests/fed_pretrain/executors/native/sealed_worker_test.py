"""No other machine and no other user reaches TFF's worker, or a warning says that they do."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from fed_pretrain.executors.native import sealed_worker, worker_process
from fed_pretrain.executors.native.worker_process import WorkerProcess
from groundwork import owners


def listening(network: Path) -> int:
    """Sockets that listen in the network of a process, by the kernel's own table."""
    states = [
        line.split()[3]
        for table in ("tcp", "tcp6")
        for line in (network / table).read_text().splitlines()[1:]
    ]
    return states.count("0A")


def permitted() -> bool:
    """Asked of a child, since nobody comes back from a namespace."""
    child = os.fork()
    if child == 0:
        os._exit(0 if sealed_worker.leave_the_network() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_worker_listens_in_a_network_that_only_its_relay_shares():
    if not permitted():
        pytest.skip("this system permits no network namespace")
    worker = WorkerProcess(1, 120)
    try:
        binary = psutil.Process(worker.pid)
        (relay,) = binary.children()
        assert binary.name() == "worker_binary"
        ours = os.readlink("/proc/self/ns/net")
        for process in (relay, binary):
            assert os.readlink(f"/proc/{process.pid}/ns/net") != ours
        assert listening(Path(f"/proc/{binary.pid}/net")) > 0
        ports = [c.laddr.port for c in psutil.net_connections("tcp") if c.status == "LISTEN"]
        assert worker_process._SEALED_PORT not in ports
        socket_path = Path(worker.address.removeprefix("unix:"))
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
    finally:
        worker.stop()
    assert not psutil.pid_exists(binary.pid)
    psutil.wait_procs([relay], timeout=10)
    assert not relay.is_running()
    assert not socket_path.parent.exists()


def test_what_a_killed_relay_left_goes_at_the_next_start(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    child = subprocess.run(
        [sys.executable, "-c", "from groundwork import owners; print(owners.mark())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    dead, alive = (
        tmp_path / f"{worker_process._FOLDER}{mark}-x"
        for mark in (child.stdout.strip(), owners.mark())
    )
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "socket").touch()
    monkeypatch.setattr(WorkerProcess, "_start_sealed", lambda worker: None)
    monkeypatch.setattr(WorkerProcess, "_wait_for_port", lambda worker, timeout: None)
    worker = WorkerProcess(1, 1)
    worker.stop()
    assert list(tmp_path.iterdir()) == [alive]


def test_without_a_namespace_the_worker_starts_and_the_open_port_is_reported_once(
    monkeypatch, tmp_path
):
    refused = tmp_path / "refused.py"
    refused.write_text(f"raise SystemExit({sealed_worker.NOT_PERMITTED})")
    said = []
    monkeypatch.setattr(sealed_worker, "__file__", str(refused))
    monkeypatch.setattr(
        worker_process.logging, "log_first_n", lambda *arguments: said.append(arguments)
    )
    worker = WorkerProcess(1, 120)
    try:
        assert worker.address.startswith("localhost:")
        assert worker.alive()
    finally:
        worker.stop()
    ((_, text, count, port),) = said
    assert count == 1
    assert f"port {port} of EVERY network interface" in text % port
