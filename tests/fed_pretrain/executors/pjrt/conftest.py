"""One executor for the room's tests, where `make pjrt` has made its environment."""

from collections.abc import Iterator

import pytest

from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.pjrt import environment
from fed_pretrain.executors.pjrt.pjrt_executor import PjrtExecutor

OPTIONS = ExecutorOptions(executor="pjrt", start_timeout=300)


@pytest.fixture(scope="session")
def pjrt() -> Iterator[PjrtExecutor]:
    if environment.missing():
        pytest.skip("needs `make pjrt`")
    with create(OPTIONS) as executor:
        yield executor
