"""TFF's worker in a private network: `python sealed_worker.py SOCKET PORT COMMAND...`.

The worker listens on every interface and asks for no password. In a new network namespace its only
interface is a loopback that no other process has. The way in is a Unix socket, which a child of the
worker relays and which only the user can open. The exit code is NOT_PERMITTED where the system
permits no new namespace. Imports nothing but the standard library.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

NOT_PERMITTED = 77
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_SET_INTERFACE_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
_CHUNK = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


def leave_the_network() -> bool:
    """Moves this process, which has one thread, into a network with nothing but a loopback."""
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEW_USER | _NEW_NETWORK) == 0:
        with contextlib.suppress(OSError):  # the user keeps the name; nothing depends on it
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    elif _libc.unshare(_NEW_NETWORK) != 0:  # root may do without a new user namespace
        return False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = struct.pack("16sH14x", b"lo", _UP_AND_RUNNING)
            fcntl.ioctl(any_socket, _SET_INTERFACE_FLAGS, request)
    except OSError:
        return False
    return True


def die_with_parent(parent: int, with_signal: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent:
        os._exit(1)


def main(path: Path, port: int, command: list[str]) -> int:
    """Becomes the worker; a child that ends with it is the relay."""
    parent = os.getppid()
    if not leave_the_network():
        return NOT_PERMITTED
    die_with_parent(parent, signal.SIGKILL)  # again: a new namespace forgets it
    worker = os.getpid()
    if os.fork() == 0:
        # Blocked and waited for: a handler could run just before this thread begins to wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        die_with_parent(worker, signal.SIGTERM)
        threading.Thread(target=_relay, args=(path, port), daemon=True).start()
        signal.sigwait({signal.SIGTERM})
        shutil.rmtree(path.parent, ignore_errors=True)
        os._exit(0)
    os.execv(command[0], command)


def _relay(path: Path, port: int) -> None:
    """The socket appears once the worker answers."""
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            break
        time.sleep(0.05)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    while True:
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        inside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in ((outside, inside), (inside, outside)):
            threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    with contextlib.suppress(OSError):
        while count := source.recv_into(buffer):
            target.sendall(buffer[:count])
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
