import os

import numpy as np

from fed_pretrain.experiment.workdir import checkpoints

ARRAYS = {"model/kernel": np.arange(12, dtype=np.float32).reshape(3, 4)}


def test_the_newest_sound_checkpoint_is_used_and_the_damaged_one_named(tmp_path):
    folder = checkpoints.CheckpointFolder(tmp_path / "checkpoints")
    for round_number in (0, 5, 10):
        folder.save(round_number, {}, {"w": np.full(2, round_number, np.float32)})
    path = folder.path(10)
    path.write_bytes(path.read_bytes()[:-1])
    found, damage = folder.newest_sound(last_round=99)
    assert found is not None
    assert found.metadata["round"] == 5
    assert len(damage) == 1
    assert "round-000010" in damage[0]


def test_no_checkpoint_past_the_last_round_is_used(tmp_path):
    folder = checkpoints.CheckpointFolder(tmp_path)
    folder.save(3, {}, ARRAYS)
    assert folder.newest_sound(last_round=2) == (None, [])


def test_thinning_keeps_the_last_the_best_and_round_zero(tmp_path):
    folder = checkpoints.CheckpointFolder(tmp_path)
    for round_number in range(8):
        folder.save(round_number, {}, {})
    folder.thin(keep_last=2, always=[0, 3])
    assert folder.rounds() == [0, 3, 6, 7]


def test_leftovers_of_dead_writers_are_removed(tmp_path):
    folder = checkpoints.CheckpointFolder(tmp_path)
    folder.save(1, {}, {})
    (tmp_path / ".tmp-round-000002.ckpt-123").write_bytes(b"half")
    assert folder.remove_leftovers() == 1
    assert os.listdir(tmp_path) == ["round-000001.ckpt"]
