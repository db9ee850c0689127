"""One executor, and each algorithm built and run once, for all tests of the room."""

from collections.abc import Callable, Iterator

import pytest

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.executors import creation
from fed_pretrain.executors.executor import Executor
from tests.fed_pretrain.algorithms.toy import POPULATION, ROWS, Run, build


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with creation.create() as made:
        yield made


@pytest.fixture(scope="session")
def finished(executor: Executor) -> Callable[..., Run]:
    """`finished(client_update="sgd", ...)` has run two rounds."""
    runs: dict[ResolvedAlgorithm, Run] = {}

    def get(**settings: object) -> Run:
        settings = {
            "alignment": "none",
            "population": POPULATION,
            "population_rows": ROWS,
            "clients_per_round": 3,
        } | settings
        config = ResolvedAlgorithm(**settings)
        if config not in runs:
            runs[config] = Run(build(config), executor)
            runs[config].two_rounds()
        return runs[config]

    return get
