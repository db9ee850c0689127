"""A run whose clients keep their head: each is evaluated by its own, from a restart, too."""

import dataclasses

import numpy as np
import pytest

from fed_pretrain.experiment.training.run import train
from tests.fed_pretrain.experiment.small_runs import same_weights, small


@pytest.mark.slow
def test_clients_are_evaluated_by_the_heads_they_keep_and_a_restart_has_them_too(tmp_path) -> None:
    def config(name: str, rounds: int):
        made = small(tmp_path / name, algorithm_name="fedper", work={"rounds": rounds})
        return dataclasses.replace(
            made, evaluation=dataclasses.replace(made.evaluation, eval_clients=True)
        )

    whole = train(config("whole", 2)).rows
    train(config("cut", 1))
    assert [dict(row) for row in train(config("cut", 2)).rows][2]["round"] == 2
    assert same_weights(tmp_path / "whole", tmp_path / "cut", 2)
    shared, own = (
        [row[f"eval_{kind}_accuracy_mean"] for row in whole] for kind in ("clients", "personal")
    )
    assert own[0] == shared[0]
    assert own[1] > shared[1]
    assert np.isfinite(own).all()
