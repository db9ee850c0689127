"""HuggingFace's own library with a server that answers as huggingface.co does (`make test-hub`)."""

import contextlib
import hashlib
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache" / "hub" / "bin" / "python"
COMMIT = "c0ffee" * 6 + "c0ff"
CONTENT = b"weights"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test-hub` runs these"),
]


class Repository(http.server.BaseHTTPRequestHandler):
    """One file of one revision of `me/net`."""

    def do_HEAD(self) -> None:
        found = self.path == "/me/net/resolve/v1/pytorch_model.bin"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(CONTENT) if found else 0))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(CONTENT)

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def found(folder: Path, spec: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from groundwork import errors, hub\n"
        "try: print(hub.find(sys.argv[1]))\n"
        "except errors.UserError as error: sys.exit(str(error))"
    )
    homes = {"HF_HOME": str(folder / "hf"), "FED_PRETRAIN_HUB": str(folder / "own")}
    return subprocess.run(
        [str(PYTHON), "-c", code, spec],
        cwd=ROOT,
        env={**os.environ, **homes, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_first_file_there_is_comes_into_huggingfaces_cache_and_stays(tmp_path: Path) -> None:
    with serving() as address:
        first = found(tmp_path, "me/net@v1", HF_ENDPOINT=address)
        assert first.returncode == 0, first.stderr
        missing = found(tmp_path, "me/net@v2", HF_ENDPOINT=address)
    path = Path(first.stdout.strip())
    assert path.read_bytes() == CONTENT
    assert path.parent == tmp_path / "hf" / "hub" / "models--me--net" / "snapshots" / COMMIT
    assert "--start=hub:me/net@v2: not on this machine" in missing.stderr.splitlines()[-1]
    again = found(tmp_path, "me/net@v1", HF_HUB_OFFLINE="1")
    assert again.stdout == first.stdout
