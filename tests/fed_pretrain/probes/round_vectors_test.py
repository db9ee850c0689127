"""What a probe keeps of its rounds is cut back with the rounds."""

import numpy as np

from fed_pretrain.probes.probe import RoundVectors


def test_a_resumed_run_goes_on_from_the_vectors_of_the_rounds_that_it_keeps(tmp_path):
    kept = RoundVectors(tmp_path, "hessian")
    assert kept.newest() == []
    for round_number in (0, 9, 10, 2_000):
        kept.save(round_number, [np.full(3, round_number), np.ones(3)])
    np.testing.assert_array_equal(kept.newest(), [[2_000] * 3, [1] * 3])
    kept.forget_after(10)
    np.testing.assert_array_equal(kept.newest()[0], [10] * 3)
    kept.forget_after(-1)
    assert not list(tmp_path.iterdir())
