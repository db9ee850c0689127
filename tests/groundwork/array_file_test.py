import numpy as np
import pytest

from groundwork import array_file
from groundwork.errors import UserError

ARRAYS = {
    "model/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model/step": np.array(7, np.int64),
    "model/empty": np.zeros((0, 5), np.float32),
    "model/flags": np.array([True, False]),
    "model/half": np.arange(4, dtype=np.float16),
}


def test_arrays_and_metadata_come_back_as_they_were_saved(tmp_path):
    size = array_file.save(tmp_path / "a.ckpt", {"round": 3, "note": "é"}, ARRAYS)
    loaded = array_file.load(tmp_path / "a.ckpt")
    assert size == (tmp_path / "a.ckpt").stat().st_size
    assert loaded.metadata == {"round": 3, "note": "é"}
    assert list(loaded.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].shape == array.shape
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_equal_content_gives_equal_bytes(tmp_path):
    array_file.save(tmp_path / "a", {"b": 1, "a": 2}, ARRAYS)
    array_file.save(tmp_path / "b", {"a": 2, "b": 1}, ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    array_file.save(path, {}, {"w": np.arange(3, dtype=np.float32)})
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(array_file.DamagedCheckpoint, match=r"a\.ckpt"):
            array_file.load(path)


def test_every_truncation_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    array_file.save(path, {}, {"w": np.arange(3, dtype=np.float32)})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(array_file.DamagedCheckpoint):
            array_file.load(path)


def test_a_missing_file_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        array_file.load(tmp_path / "nothing")


def test_objects_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(TypeError, match="'names'"):
        array_file.save(tmp_path / "a", {}, {"names": np.array(["x", None], object)})
    assert list(tmp_path.iterdir()) == []
