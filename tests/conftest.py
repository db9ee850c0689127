"""What every test shares: quiet libraries, the slow set, and no worker process left behind."""

import gc
import os
import uuid

# These are read when TensorFlow and gRPC are loaded, so they stand before every other import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
SESSION_VARIABLE = "FED_PRETRAIN_TEST_SESSION"
os.environ.setdefault(SESSION_VARIABLE, uuid.uuid4().hex)

# As programs have it: see groundwork.command_line.quiet_libraries.
gc.set_threshold(50_000, 10, 10)

import psutil  # noqa: E402
import pytest  # noqa: E402

# Prepares what TensorFlow and TFF need, before a test imports them.
import fed_pretrain  # noqa: E402, F401

WORKER = "worker_binary"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or "slow" in config.getoption("-m"):
        return
    skip = pytest.mark.skip(reason="slow: run `make test-all` or pytest --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends TFF's worker processes that this session's tests started, wherever they hang now."""
    if hasattr(session.config, "workerinput"):
        return  # the controller of pytest-xdist does it when all of its workers are done
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == WORKER and _started_by_us(process):
            process.kill()


def _started_by_us(process: psutil.Process) -> bool:
    try:
        return process.environ().get(SESSION_VARIABLE) == os.environ[SESSION_VARIABLE]
    except psutil.Error:
        return False
