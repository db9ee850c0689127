"""Files of text that flags name."""

from pathlib import Path

import pytest

from groundwork import named_text
from groundwork.errors import UserError


def test_a_file_of_text_is_read_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "words").write_bytes("é\r\nb\n".encode())
    assert named_text.read("--vocabulary", tmp_path / "words") == "é\nb\n"


def test_what_is_no_small_file_of_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for path, why in (
        (tmp_path / "none", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "bytes", "is not UTF-8 text"),
        (Path("/dev/zero"), "is longer than 64 MiB"),
    ):
        with pytest.raises(UserError, match=f"--vocabulary={path} {why}"):
            named_text.read("--vocabulary", path)
