import contextlib
from pathlib import Path

import pytest

from groundwork import staging
from groundwork.errors import UserError


def leave(output: Path, request: str, name: str) -> None:
    """Leaves a file as a killed process would."""
    with contextlib.suppress(KeyboardInterrupt), staging.staging(output, request) as folder:
        (folder / name).write_text("piece")
        raise KeyboardInterrupt


def pieces(output: Path, request: str) -> list[str]:
    with staging.staging(output, request) as folder:
        return sorted(path.name for path in folder.iterdir() if path.name != staging.REQUEST)


def test_what_was_interrupted_is_kept_for_the_same_request_only(tmp_path: Path) -> None:
    leave(tmp_path / "out", "request", "piece")
    assert pieces(tmp_path / "out", "request") == ["piece"]
    leave(tmp_path / "out", "request", "piece")
    assert pieces(tmp_path / "out", "another") == []
    assert list(tmp_path.iterdir()) == []


def test_half_written_files_and_an_old_failure_are_swept_away(tmp_path: Path) -> None:
    for name in (".tmp-half", staging.STOPPED):
        leave(tmp_path / "out", "request", name)
        assert pieces(tmp_path / "out", "request") == []


def test_a_users_mistake_leaves_nothing(tmp_path: Path) -> None:
    with contextlib.suppress(UserError), staging.staging(tmp_path / "out", "request") as folder:
        (folder / "piece").write_text("x")
        raise UserError("wrong")
    assert list(tmp_path.iterdir()) == []


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    first = staging.staging(tmp_path / "out", "request")
    with first, pytest.raises(UserError, match="another process"):
        pieces(tmp_path / "out", "request")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="--output"):
        pieces(tmp_path / "file" / "out", "request")


def test_moving_replaces_only_when_asked(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for overwrite, content in ((False, "first"), (True, "second")):
        with staging.staging(output, content) as folder:
            (folder / "made").mkdir()
            (folder / "made" / "file").write_text(content)
            staging.move_into_place(folder / "made", output, overwrite=overwrite)
        assert (output / "file").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
