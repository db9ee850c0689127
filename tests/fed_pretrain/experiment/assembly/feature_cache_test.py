"""Runs of a head on kept features against the same runs through the whole model."""

from types import SimpleNamespace

import numpy as np
import pytest

from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.assembly import feature_cache
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.feature_cache import FeatureEncoder
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import same_weights, small


def numbers(rows):
    return [
        {
            name: value
            for name, value in row.items()
            if "seconds" not in name and "memory" not in name
        }
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["device", "native"])
def test_features_are_computed_once_a_client_and_change_no_number(
    tmp_path, monkeypatch, executor
) -> None:
    encoded = []
    encode = FeatureEncoder.encode
    monkeypatch.setattr(
        FeatureEncoder, "encode", lambda self, rows: encoded.append(1) or encode(self, rows)
    )
    rows = {}
    for wanted in ("never", "auto"):
        work = {"rounds": 4, "feature_cache": wanted, "sampling": "all"}
        made = small(tmp_path / wanted, start={"trainable": "head"}, work=work)
        rows[wanted] = train(
            small(
                tmp_path / wanted,
                start={"trainable": "head"},
                work=work,
                executor=ExecutorOptions(executor=executor),
            )
        ).rows
        clients = len(assemble(made, Session()).client_ids)
    if executor == "device":
        assert numbers(rows["auto"]) == numbers(rows["never"])
        assert same_weights(tmp_path / "auto", tmp_path / "never", 4)
    else:  # Its worker computes what is computed here otherwise, which rounds differently.
        for mine, theirs in zip(rows["auto"], rows["never"], strict=True):
            assert mine["eval_loss"] == pytest.approx(theirs["eval_loss"], rel=1e-5)
    # Each client once for training, and each of the test split once for evaluation.
    assert len(encoded) <= 2 * clients


def test_a_model_that_trains_whole_has_no_features(tmp_path) -> None:
    session = Session()
    assembly = assemble(small(tmp_path), session)
    assert assembly.seen.task is assembly.task
    session.close()


def test_what_cannot_be_kept_is_refused_where_it_is_asked_for(tmp_path) -> None:
    session = Session()
    first = {"trainable": "regex:^(conv1|head)$"}
    with pytest.raises(UserError, match="--feature_cache=always: no frozen part"):
        _ = assemble(small(tmp_path, start=first, work={"feature_cache": "always"}), session).seen
    session.close()


def test_features_are_kept_by_the_structure_and_the_frozen_weights_that_give_them() -> None:
    def digest(model="small", moving=1.0, frozen=1.0, wanted="auto") -> str:
        start = SimpleNamespace(
            build_model=SimpleNamespace(identity=lambda: {"model": model}),
            names=(["head/kernel"], ["conv/kernel"]),
            weights=([np.full(2, moving)], [np.full(3, frozen)]),
        )
        return feature_cache._digest(start, None, wanted)

    assert digest(moving=2.0) == digest()
    others = [digest(), digest(model="large"), digest(frozen=2.0), digest(wanted="always")]
    assert len(set(others)) == 4
