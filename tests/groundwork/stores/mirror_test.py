"""Places of URLs; fsspec's `memory://` is a store that lives in this process."""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from groundwork import files, owners
from groundwork.errors import UserError
from groundwork.stores import lease, mirror, ranges, schemes, store

URL = "memory://bucket/runs/a"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_PAUSES", (0.0, 0.0, 0.0))
    found = fsspec.filesystem("memory")
    yield found
    if found.exists("/bucket"):
        found.rm("/bucket", recursive=True)


def content(bucket: fsspec.AbstractFileSystem) -> dict[str, bytes]:
    return {name.removeprefix("/bucket/"): bucket.cat_file(name) for name in bucket.find("/bucket")}


def test_a_whole_file_is_in_the_store_at_once_and_after_what_was_appended(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    with mirror.working(URL) as folder:
        folder.mkdir(parents=True)
        files.append(folder / "metrics.jsonl", "1\n")
        assert "runs/a/metrics.jsonl" not in content(bucket)
        files.write_text(folder / "round-1.ckpt", "weights")
        assert content(bucket)["runs/a/metrics.jsonl"] == b"1\n"
        assert content(bucket)["runs/a/round-1.ckpt"] == b"weights"
        (folder / "events").write_text("by another library")
        files.remove(folder / "round-1.ckpt")
        assert "runs/a/round-1.ckpt" not in content(bucket)
    assert set(content(bucket)) == {"runs/a/metrics.jsonl", "runs/a/events"}


def test_another_machine_goes_on_from_what_the_store_holds(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mirror.working(URL) as folder:
        (folder / "deep").mkdir(parents=True)
        files.write_text(folder / "deep" / "file", "1")
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path / "other machine"))
    with mirror.working(URL) as there:
        assert there != folder
        assert (there / "deep" / "file").read_text() == "1"
        files.write_text(there / "deep" / "file", "2")
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path / "cache"))
    (folder / "never published").write_text("x")
    with mirror.working(URL) as folder:
        assert (folder / "deep" / "file").read_text() == "2"
        assert not (folder / "never published").exists(), "the store has the last word"


def test_what_is_here_of_a_store_is_for_this_user_alone(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    with mirror.working(URL):
        assert stat.S_IMODE((tmp_path / "cache" / "stores").stat().st_mode) == 0o700


def test_what_is_here_already_is_not_fetched_again(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("/bucket/weights.npz", b"1")
    bucket.pipe_file("/bucket/weights.npz.json", b"{}")
    path = mirror.here("memory://bucket/weights.npz")
    assert path.read_bytes() == b"1"
    assert path.with_name("weights.npz.json").read_bytes() == b"{}"
    with monkeypatch.context() as patched:
        patched.setattr(store, "get", lambda *_: pytest.fail("it was fetched again"))
        assert mirror.here("memory://bucket/weights.npz") == path
    time.sleep(0.01)
    bucket.pipe_file("/bucket/weights.npz", b"2")
    assert mirror.here("memory://bucket/weights.npz").read_bytes() == b"2"


def test_a_glob_names_the_files_of_the_store_and_no_older_ones(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    for name in ("a.csv", "b.csv", "c.txt"):
        bucket.pipe_file(f"/bucket/in/{name}", name.encode())
    pattern = mirror.inputs_here("memory://bucket/in/*.csv")
    assert sorted(path.name for path in Path("/").glob(pattern.lstrip("/"))) == ["a.csv", "b.csv"]
    bucket.rm_file("/bucket/in/a.csv")
    again = mirror.inputs_here(f"memory://bucket/in/*.csv, {__file__}")
    assert again == f"{pattern},{__file__}"
    assert sorted(path.name for path in Path("/").glob(pattern.lstrip("/"))) == ["b.csv"]


def test_only_what_came_from_here_is_removed_from_the_store(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    with mirror.working(URL) as folder:
        files_of_another = "/bucket/runs/a/notes of a person"
        bucket.pipe_file(files_of_another, b"")
        folder.mkdir(parents=True)
        files.write_text(folder / "mine", "")
        (folder / "mine").unlink()
    assert set(content(bucket)) == {"runs/a/notes of a person"}


def test_a_second_process_is_refused_while_the_first_lives(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    with (
        mirror.working(URL),
        pytest.raises(UserError, match=r"memory://bucket/runs/a: is in use on "),
        mirror.working(URL),
    ):
        pass
    with mirror.working(URL):
        pass


@pytest.mark.parametrize("left", ["dead", "silent", "damaged"])
def test_the_lease_of_a_killed_process_is_taken_over(
    bucket: fsspec.AbstractFileSystem, left: str
) -> None:
    mark = owners.mark()
    if left == "dead":
        mark = mark.replace(str(os.getpid()), "999999999")
    age = 1000 if left == "silent" else 0
    owner = {"host": "elsewhere", "mark": mark, "renewed": time.time() - age}
    text = "{" if left == "damaged" else json.dumps(owner)
    bucket.pipe_file(f"/bucket/runs/a/{lease.FILE}", text.encode())
    with mirror.working(URL):
        pass
    assert content(bucket) == {}


def write_after(event: Callable[[], object]) -> None:
    """A run that notices at its next renewal what happened."""
    with mirror.working(URL) as folder:
        folder.mkdir(parents=True)
        event()
        while not lease._lost:
            time.sleep(0.01)
        files.write_text(folder / "late", "")


def test_a_process_whose_lease_was_taken_over_writes_nothing_more(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_RENEWED_EVERY", 0.01)
    other = json.dumps({"host": "elsewhere", "mark": "of another", "renewed": time.time()})
    with pytest.raises(UserError, match="/bucket/runs/a/ was taken over by another process"):
        write_after(lambda: bucket.pipe_file(f"/bucket/runs/a/{lease.FILE}", other.encode()))
    assert content(bucket) == {f"runs/a/{lease.FILE}": other.encode()}


def test_a_password_in_an_address_is_refused_and_in_a_stores_words_left_out(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"--output=webhdfs://\*\*\*@host/x: a password") as refusal:
        schemes.check("output", "webhdfs://me:secret@host/x", served=True)
    assert "secret" not in str(refusal.value)

    def failing(self: object, path: str, **_: object) -> bytes:
        raise OSError("no answer from http://me:secret@host:9000/bucket")

    monkeypatch.setattr(type(bucket), "cat_file", failing)
    with pytest.raises(UserError, match=r"http://\*\*\*@host:9000/bucket"):
        store.read("memory://bucket/file", 0, 1)


def test_parts_are_kept_by_the_address_too_whatever_sha256_a_manifest_claims(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    for name, text in (("theirs", b"bad"), ("ours", b"good")):
        bucket.pipe_file(f"/bucket/{name}", text)
        file = ranges.RemoteFile(f"memory://bucket/{name}", "../../claimed", len(text))
        assert file.read(0, len(text)) == text
        file.close()
    assert not list(mirror.cache_folder().rglob("claimed*"))


def test_a_store_that_fails_for_a_moment_is_asked_again_and_then_named(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("/bucket/file", b"1")
    answers = [OSError(16, "SlowDown: 503"), PermissionError("no credentials")]

    def failing(self: object, path: str, **_: object) -> bytes:
        if answers:
            raise answers.pop(0)
        return b"1"

    monkeypatch.setattr(type(bucket), "cat_file", failing)
    assert store.read("memory://bucket/file", 0, 1) == b"1"
    answers += [PermissionError("no credentials")] * 4
    with pytest.raises(
        UserError, match=r"memory://bucket/file: .* refused 4 times \(no credentials\)"
    ):
        store.read("memory://bucket/file", 0, 1)


@pytest.mark.parametrize("text", ["runs/a", "/tmp/a", "checkpoint:a.npz", "count:100", "a:b//c"])
def test_a_path_is_a_path(text: str) -> None:
    assert not mirror.is_remote(text)
    assert mirror.place(text) == Path(text)
    schemes.check("flag", text, served=False)


def test_what_cannot_be_served_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("gcs2://bucket/x", "checkpoint:ftp://host/x", "file:http://host/words:10"):
        with pytest.raises(UserError, match=r"--output=\S+: \w+:// is not supported"):
            schemes.check("output", text, served=True)
    with pytest.raises(UserError, match=r"--index=memory://x: this flag takes a local path"):
        schemes.check("index", "memory://x", served=False)
    monkeypatch.setattr(schemes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"s3:// needs the package s3fs, .*fed_pretrain.s3"):
        schemes.check("output", "checkpoint:s3://bucket/x", served=True)


def test_a_place_leads_back_to_its_url_and_hidden_files_stay_here(
    bucket: fsspec.AbstractFileSystem,
) -> None:
    place = mirror.place(URL)
    assert mirror.address(place / "x") == f"{URL}/x"
    assert mirror.address("runs/a") == "runs/a"
    hidden = place.parent / ".a.preparing" / "piece"
    hidden.parent.mkdir(parents=True)
    files.write_text(hidden, "")
    assert content(bucket) == {}
    for wrong in ("memory://", "memory://bucket/../x", "memory://bucket/.x/y"):
        with pytest.raises(UserError, match="a bucket and a path in it"):
            mirror.place(wrong)
