"""Oracle: TensorFlow's own TFRecord writer and reader."""

from pathlib import Path

import pytest
import tensorflow as tf

from data_prep.store.records import Framer
from groundwork.errors import UserError

RECORDS = [b"", b"a", b"hello" * 100, bytes(range(256)) * 20]


def test_frames_equal_the_bytes_tensorflow_writes(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in RECORDS:
            writer.write(record)
    ours = b"".join(map(Framer().frame, RECORDS))
    assert ours == (tmp_path / "theirs").read_bytes()


def test_what_was_framed_is_split_again() -> None:
    framer = Framer()
    assert framer.split(b"".join(map(framer.frame, RECORDS)), "here") == RECORDS


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    framer = Framer()
    whole = framer.frame(b"first record") + framer.frame(b"second")
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            with pytest.raises(UserError, match=r"shard-7.*byte \d+"):
                framer.split(bytes(damaged), "shard-7")
    border = len(framer.frame(b"first record"))
    for length in range(1, len(whole)):
        if length != border:
            with pytest.raises(UserError, match="shard-7"):
                framer.split(whole[:length], "shard-7")
