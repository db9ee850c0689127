"""Six clients with a rule that a small network learns, prepared once."""

import numpy as np
import pytest

import fed_pretrain as fp

DRAWN = np.random.default_rng(0)
RULE = DRAWN.normal(size=(5, 3))


def examples(number: int) -> tuple[np.ndarray, np.ndarray]:
    x = DRAWN.normal(size=(number, 5)).astype(np.float32)
    return x, (x @ RULE).argmax(axis=1)


DATA = {f"client_{number}": examples(30) for number in range(6)}


@pytest.fixture(scope="session")
def six():
    return fp.clients(DATA, test=0.2)
