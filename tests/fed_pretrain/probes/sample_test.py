from types import SimpleNamespace

import numpy as np

from fed_pretrain.probes.curvature import sample

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


def test_the_micro_batch_fits_the_clients_and_wastes_no_padding():
    assert sample.least_work([20] * 100) == 20
    assert sample.least_work([1] * 50) == 1
    assert sample.least_work([100_000]) == sample.MICRO_BATCH
    assert sample.least_work([64] + [16] * 100) < 24
