"""Real engines on this machine, whose workers have nothing in common but the output's folder.

Each worker lives in a mount namespace of its own: its /tmp is its own, the code is read-only, and
it has a copy of the input.
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from groundwork.files import VARIABLE

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".cache" / "engines" / "bin"
PRISM = BIN / "prism"
_SECONDS = 120
_APART = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/common /mnt/input
mount --bind {common} /mnt/common
cp -r {input}/. /mnt/input
for own in /tmp /var/tmp /dev/shm; do mount -t tmpfs none $own; done
mkdir -p {common} {input}
mount --bind /mnt/common {common}
cp -r /mnt/input/. {input}
umount /mnt/common
mount --bind {root} {root}
mount -o remount,ro,bind {root}
exec {command}
"""


def installed() -> bool:
    return PRISM.exists() and (BIN / "python").exists()


def can_be_apart() -> bool:
    """Only root may make a mount namespace."""
    tried = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "x", "/mnt"]
    return subprocess.run(tried, capture_output=True).returncode == 0


def apart(folder: Path, *command: object) -> list[str]:
    """The command in a world where only `folder`/common is what others see."""
    script = _APART.format(
        common=shlex.quote(str(folder / "common")),
        input=shlex.quote(str(folder / "input")),
        root=shlex.quote(str(ROOT)),
        command=shlex.join(map(str, command)),
    )
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


def environment(programs: Path = BIN, **more: str) -> Mapping[str, str]:
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **more}


@contextlib.contextmanager
def _process(
    folder: Path, name: str, command: list[str], programs: Path = BIN, **more: str
) -> Iterator[subprocess.Popen]:
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=environment(programs, **more),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens at port {port}")


@contextlib.contextmanager
def dask(folder: Path, kill_at: str = "") -> Iterator[list[str]]:
    """A scheduler and two workers, the second of which kills itself where it is told to."""
    port = _free_port()
    python = BIN / "python"
    scheduler = f"{python} -m distributed.cli.dask_scheduler --host=127.0.0.1 --port={port}"
    worker = f"{python} -m distributed.cli.dask_worker tcp://127.0.0.1:{port} --nthreads=1"
    with contextlib.ExitStack() as running:
        quiet = "--no-dashboard"
        running.enter_context(
            _process(folder, "scheduler", [*scheduler.split(), "--port", str(port), quiet])
        )
        _wait_for(port)
        for number in range(2):
            own = ["--no-nanny", quiet, "--local-directory=/tmp/dask"]
            command = apart(folder, *worker.split(), *own)
            told = {VARIABLE: kill_at} if kill_at and number else {}
            running.enter_context(_process(folder, f"worker{number}", command, **told))
        _wait_for_workers(python, port)
        yield [
            "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
            f"--dask_client_address=tcp://127.0.0.1:{port}",
            "--dask_npartitions=6",
        ]


def _wait_for_workers(python: Path, port: int) -> None:
    ask = f"import distributed as d; d.Client('tcp://127.0.0.1:{port}').wait_for_workers(2, 90)"
    subprocess.run([python, "-c", ask], check=True, timeout=_SECONDS, capture_output=True)


@contextlib.contextmanager
def _with_pool(
    folder: Path, job_service: list[str], port: int, programs: Path = BIN, **more: str
) -> Iterator[list[str]]:
    """A job service, and SDK workers that a pool starts apart from it."""
    pool = _free_port()
    start = [programs / "python", "-m", "apache_beam.runners.worker.worker_pool_main"]
    with (
        _process(folder, "service", job_service),
        _process(folder, "pool", apart(folder, *start, f"--service_port={pool}"), programs, **more),
    ):
        _wait_for(port)
        _wait_for(pool)
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{port}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{pool}",
        ]


@contextlib.contextmanager
def prism(folder: Path, programs: Path = BIN, **more: str) -> Iterator[list[str]]:
    """`more`: what the workers find in their environment."""
    port = _free_port()
    service = [str(PRISM), f"--job_port={port}", "--serve_http=false", "--log_level=warn"]
    with _with_pool(folder, service, port, programs, **more) as options:
        yield options


@contextlib.contextmanager
def job_service(folder: Path) -> Iterator[list[str]]:
    """Beam's own, in Python."""
    port = _free_port()
    module = "apache_beam.runners.portability.local_job_service_main"
    with _with_pool(
        folder, [str(BIN / "python"), "-m", module, f"--job_port={port}"], port
    ) as options:
        yield options


@contextlib.contextmanager
def bucket(folder: Path, programs: Path) -> Iterator[dict[str, str]]:
    """A server that speaks S3, with a bucket; yields what its users find in their environment."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(programs / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _process(folder, "store", command, programs):
        _wait_for(port)
        request = urllib.request.Request(f"{address}/bucket", method="PUT")
        urllib.request.urlopen(request).close()
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
