"""Serves the page: three addresses, read-only, to this machine unless told otherwise."""

import http.server
import json
import mimetypes
import urllib.parse
from importlib import resources
from pathlib import Path

from groundwork.palette import INKS
from pipelines.watching.state import Watched

_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
_POLICY += "connect-src 'self'; img-src 'self' data:"


def page() -> str:
    """The page, in the colours of every report."""
    text = (resources.files("pipelines.watching") / "page.html").read_text(encoding="utf-8")
    for mode in ("light", "dark"):
        inks = "".join(f"--s{i}:{getattr(ink, mode)};" for i, ink in enumerate(INKS))
        text = text.replace(f"/*inks-{mode}*/", inks)
    return text


def create(watched: Watched, host: str, port: int) -> http.server.ThreadingHTTPServer:
    """A server that is bound; port 0 takes a free one."""
    loopback = host in _OWN_NAMES

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page elsewhere must not read this one through a name it points here.
            name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if loopback and name not in _OWN_NAMES:
                self.send_error(403, "ask for it as localhost")
                return
            path = urllib.parse.urlsplit(self.path).path
            if path == "/":
                self._send(page().encode(), "text/html; charset=utf-8", _POLICY)
            elif path == "/state.json":
                self._send(json.dumps(watched.state()).encode(), "application/json")
            elif path.startswith("/report/"):
                self._report(urllib.parse.unquote(path.removeprefix("/report/")))
            else:
                self.send_error(404)

        def _report(self, name: str) -> None:
            folder = watched.report()
            file = (folder / (name or "index.html")).resolve() if folder else None
            if file is None or not file.is_relative_to(Path(str(folder))) or not file.is_file():
                self.send_error(404)
                return
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._send(file.read_bytes(), kind)

        def _send(self, content: bytes, kind: str, policy: str = "") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return http.server.ThreadingHTTPServer((host.strip("[]"), port), Handler)
