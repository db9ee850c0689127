import math
from types import SimpleNamespace

import numpy as np
import pytest

from fed_pretrain.curvature import sample

INDEX = SimpleNamespace(client_ids=["a", "b", "c"], num_examples=np.array([10, 0, 990]))


def test_the_draw_is_in_proportion_to_client_size_and_without_replacement():
    drawn = sample.draw(INDEX, 500, 0)
    sizes = {name: len(rows) for name, rows in drawn.clients}
    assert drawn.examples == sum(sizes.values()) == 500
    assert 1 <= sizes["a"] <= 10
    assert "b" not in sizes
    for name, rows in drawn.clients:
        assert len(set(rows)) == len(rows)
        assert max(rows) < INDEX.num_examples[INDEX.client_ids.index(name)]
    assert sample.draw(INDEX, 500, 0) == drawn != sample.draw(INDEX, 500, 1)


def test_all_examples_are_taken_when_asked_or_when_there_are_too_few():
    assert sample.draw(INDEX, None, 0).examples == 1000
    assert sample.draw(INDEX, 5000, 0) == sample.draw(INDEX, None, 0)


@pytest.mark.parametrize("rows", [1, 3, 17, 40, 128, 129, 226, 1000])
def test_a_clients_batches_hold_its_rows_in_the_fewest_steps_with_little_padding(rows):
    batch = sample.even_batch(rows, 128)
    steps = math.ceil(rows / batch)
    assert batch <= 128
    assert steps == math.ceil(rows / 128)
    assert steps * batch - rows < 4 * steps


def test_a_small_bound_of_memory_is_kept_and_a_client_without_rows_has_a_batch():
    assert [sample.even_batch(rows, 3) for rows in (0, 1, 3, 100)] == [1, 1, 3, 3]
    assert sample.even_batch(9, 5) == 5
