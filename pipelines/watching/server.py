"""Serves the page: three addresses, read-only, to this machine unless asked otherwise."""

import http.server
import ipaddress
import json
import mimetypes
import re
import socket
import urllib.parse
from importlib import resources
from pathlib import Path

from groundwork.errors import UserError
from groundwork.palette import INKS
from pipelines.watching.state import Watched

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
    names = {"localhost", socket.gethostname().lower(), host.lower()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page elsewhere must not read this one through a name it points here.
            name = _name(self.headers.get("Host", ""))
            if name not in names and not _is_address(name):
                self.send_error(403, "ask for it by its address or as localhost")
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
            file = _inside(folder, name or "index.html") if folder else None
            if file is None:
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

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    if not host:
        raise UserError("--host is empty: give an address of this machine")
    return Server((host.strip("[]"), port), Handler)


def _name(host: str) -> str:
    """What a browser calls this server, without the port."""
    return re.sub(r":\d*$", "", host).strip("[]").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _inside(folder: Path, name: str) -> Path | None:
    """A file of the folder; none through a link that leads out of it."""
    try:
        file = (folder / name).resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None
