import bz2
import gzip
import lzma
import sys

import py7zr
import pytest
import zstandard

from data_prep.sources.parsing import compressed
from groundwork.errors import UserError

CONTENT = b"".join(b"line %d of a file that is long enough to matter\n" % n for n in range(20000))


def _seven_zip(content: bytes) -> bytes:
    import io

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.writestr(b"other", "Tags.xml")
        archive.writestr(content, "Posts.xml")
    return out.getvalue()


WRITERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the zstd program does
    "7z": _seven_zip,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_compression_is_known_by_its_bytes_and_read_whole(tmp_path, kind):
    path = tmp_path / "no-suffix-to-go-by"
    path.write_bytes(WRITERS[kind](CONTENT))
    assert compressed.kind(path) == kind
    with compressed.open_bytes(path, member="Posts.xml") as file:
        assert file.read() == CONTENT


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_stream_cut_short_is_noticed(tmp_path, kind):
    path = tmp_path / "cut"
    whole = WRITERS[kind](CONTENT)
    path.write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(compressed.TruncatedArchive, match=r"cut is (truncated|damaged)"),
        compressed.open_bytes(path) as file,
    ):
        file.read()


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd", "7z"])
def test_damage_is_noticed(tmp_path, kind):
    path = tmp_path / "hurt"
    content = bytearray(WRITERS[kind](CONTENT))
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    with (
        pytest.raises((compressed.TruncatedArchive, UserError)),
        compressed.open_bytes(path, member="Posts.xml") as file,
    ):
        assert file.read() == CONTENT


def test_frames_in_a_row_are_one_file(tmp_path):
    path = tmp_path / "frames.zst"
    half = len(CONTENT) // 2
    compress = zstandard.ZstdCompressor().compress
    path.write_bytes(compress(CONTENT[:half]) + compress(b"") + compress(CONTENT[half:]))
    with compressed.open_bytes(path) as file:
        assert file.read() == CONTENT


def test_the_long_window_of_the_reddit_dumps_is_read(tmp_path):
    path = tmp_path / "RC_2017-12.zst"
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, window_log=31, enable_ldm=True, write_content_size=False
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(compressor.compress(b"a line\n") + compressor.flush())
    with pytest.raises(zstandard.ZstdError, match="memory"):
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    with compressed.open_bytes(path) as file:
        assert file.read() == b"a line\n"


def test_a_seven_zip_left_early_leaves_no_thread(tmp_path):
    import threading
    import time

    path = tmp_path / "posts.7z"
    path.write_bytes(_seven_zip(CONTENT * 6))
    before = threading.active_count()
    with compressed.open_bytes(path, member="Posts.xml") as file:
        assert file.readline() == CONTENT[: CONTENT.index(b"\n") + 1]
    deadline = time.monotonic() + 300
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() == before


def test_an_absent_file_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="absent"), compressed.open_bytes(tmp_path / "absent"):
        pass


def test_the_stem_has_no_suffix_of_compression():
    assert compressed.stem("/a/RC_2017-12.json.zst") == "RC_2017-12.json"
    assert compressed.stem("emnist_all.sqlite.lzma") == "emnist_all.sqlite"


def test_a_7z_archive_without_py7zr_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "posts.7z").write_bytes(_seven_zip(b"content"))
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with (
        pytest.raises(UserError, match=r"need py7zr.*fed_pretrain\[7z\]"),
        compressed.open_bytes(tmp_path / "posts.7z", member="Posts.xml"),
    ):
        pass
