import errno
import hashlib
import http.server
import threading

import pytest

from data_prep.sources.parsing import download
from data_prep.sources.parsing.download import Download, fetch
from groundwork.errors import UserError

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    """A small server that may break off, and may or may not resume."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        start = 0
        if self.headers.get("Range") and server.resumes:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = server.break_at.pop(0) if server.break_at else len(CONTENT)
        self.wfile.write(CONTENT[start:stop])

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.requests, server.break_at, server.resumes = [], [], True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/file"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_arrives_whole_and_is_not_fetched_again(server, tmp_path):
    wanted = Download(server.url, "a.bin", SHA256)
    assert fetch(wanted, tmp_path / "new").read_bytes() == CONTENT
    fetch(wanted, tmp_path / "new")
    assert server.requests == [None]


@pytest.mark.parametrize("resumes", [True, False])
def test_a_broken_download_goes_on_where_it_was(server, tmp_path, resumes):
    server.resumes, server.break_at = resumes, [700_000]
    wanted = Download(server.url, "a.bin", SHA256)
    with pytest.raises(UserError, match="cannot download"):
        fetch(wanted, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    assert fetch(wanted, tmp_path).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=700000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


def test_a_download_killed_before_its_rename_is_taken_as_it_is(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(Download(server.url, "a.bin", SHA256), tmp_path).read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_refused(server, tmp_path):
    with pytest.raises(UserError, match="not the published file"):
        fetch(Download(server.url, "a.bin", "0" * 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_a_file_without_a_published_sha256_that_is_said_and_its_own_is_kept(
    server, tmp_path, capsys
):
    wanted = Download(server.url, "a.bin")
    fetch(wanted, tmp_path)
    assert (
        f"gives no sha256 to check it by; that of this file is {SHA256}" in capsys.readouterr().err
    )
    assert (tmp_path / "a.bin.sha256").read_text() == f"{SHA256}  a.bin\n"
    fetch(wanted, tmp_path)
    assert len(server.requests) == 1
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError, match="not as it arrived"):
        fetch(wanted, tmp_path)


def test_a_full_disk_is_no_fault_of_the_network(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_receive", full)
    with pytest.raises(UserError, match=r"the disk is full.*which goes on"):
        fetch(Download(server.url, "a.bin", SHA256), tmp_path)


def test_offline_the_user_is_told_how_to_bring_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 1.0)
    with pytest.raises(UserError, match=r"put it at .*cifar\.tar\.gz.*--input=FILE"):
        fetch(Download("http://127.0.0.1:9/x", "cifar.tar.gz"), tmp_path)


def test_the_sources_know_their_public_homes(tmp_path, monkeypatch):
    from data_prep.sources.parsing import download

    asked = []
    monkeypatch.setattr(download, "fetch", lambda d, folder: asked.append(d.url) or folder)
    for public in (download.EMNIST, download.STACK_OVERFLOW, download.CIFAR10):
        download.input_or_download(f"download:{tmp_path}", public)
    assert asked == [
        "https://storage.googleapis.com/tff-datasets-public/emnist_all.sqlite.lzma",
        "https://storage.googleapis.com/tff-datasets-public/stackoverflow.sqlite.lzma",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ]
    (tmp_path / "emnist_all.sqlite").write_bytes(b"")
    found = download.input_or_download(f"download:{tmp_path}", download.EMNIST)
    assert found == str(tmp_path / "emnist_all.sqlite")
