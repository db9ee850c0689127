import os

import numpy as np
import pytest

from data_prep.errors import UserError
from fed_pretrain.experiment import checkpoints

ARRAYS = {
    "model/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model/step": np.array(7, np.int64),
    "model/empty": np.zeros((0, 5), np.float32),
    "model/flags": np.array([True, False]),
    "model/half": np.arange(4, dtype=np.float16),
}


def test_arrays_and_metadata_come_back_as_they_were_saved(tmp_path):
    size = checkpoints.save(tmp_path / "a.ckpt", {"round": 3, "note": "é"}, ARRAYS)
    loaded = checkpoints.load(tmp_path / "a.ckpt")
    assert size == (tmp_path / "a.ckpt").stat().st_size
    assert loaded.metadata == {"round": 3, "note": "é"}
    assert list(loaded.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].shape == array.shape
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_equal_content_gives_equal_bytes(tmp_path):
    checkpoints.save(tmp_path / "a", {"b": 1, "a": 2}, ARRAYS)
    checkpoints.save(tmp_path / "b", {"a": 2, "b": 1}, ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoints.save(path, {}, {"w": np.arange(3, dtype=np.float32)})
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(checkpoints.DamagedCheckpoint, match=r"a\.ckpt"):
            checkpoints.load(path)


def test_every_truncation_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    checkpoints.save(path, {}, {"w": np.arange(3, dtype=np.float32)})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.load(path)


def test_a_missing_file_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        checkpoints.load(tmp_path / "nothing")


def test_objects_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(TypeError, match="'names'"):
        checkpoints.save(tmp_path / "a", {}, {"names": np.array(["x", None], object)})
    assert list(tmp_path.iterdir()) == []


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
