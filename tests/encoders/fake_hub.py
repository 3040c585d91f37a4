"""A hub on loopback, with the calls that huggingface_hub makes to download files, and with the faults of hubs and networks.

Large files are redirected to another host, as by a hub to its content delivery network, which serves byte ranges.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

TOKEN = "hf_of_an_account_with_access"
LARGE = (".safetensors", ".bin", ".pth")
PAGE = b"<!doctype html><html><head><title>Sign in to the network</title></head></html>"


class Hub(ThreadingHTTPServer):
    """Repositories of models.

    Attributes
    ----------
    repositories : dict
        Id -> path -> bytes. A repository has one commit; its branch is main.
    gated : set
        Ids of repositories that only `TOKEN` may read.
    status : int
        Of every answer, if it is not 0.
    failing : str
        End of the paths that are answered with 503; empty for none.
    page : bool
        Whether every answer is an HTML page.
    swapped : dict
        Path -> bytes that are served in place of a large file, under the headers of the right one.
    breaks : int
        Number of bytes after which the next connections with large files break; 0 for never.
    stall : float
        Seconds that the next connections with large files wait before they send anything; 0 for none.
    times : int
        Number of connections that will break or stall.
    asked : list
        Method, path and Range header of every request; `sent` counts the bytes of large files.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.status, self.failing, self.page, self.swapped = 0, "", False, {}
        self.breaks, self.stall, self.times = 0, 0.0, 0
        self.asked: list[tuple[str, str, str]] = []
        self.sent = 0

    @property
    def address(self) -> str:
        """Return the endpoint."""
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        """Return the commit of a repository: a digest of its files."""
        return hashlib.sha1(repr(sorted(self.repositories[name].items())).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The answers."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub = self.server
        path = unquote(self.path.split("?")[0]).strip("/")
        hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if hub.status or hub.failing and path.endswith(hub.failing):
            return self._answer(b"", hub.status or 503)
        if hub.page:
            return self._answer(PAGE, 200, {"Content-Type": "text/html"})
        api = path.startswith("api/models/")
        cdn = path.startswith("cdn/")
        parts = path.removeprefix("api/models/").removeprefix("cdn/").split("/")
        name = "/".join(parts[:2])
        if name not in hub.repositories:
            return self._error(401, "RepoNotFound")
        if name in hub.gated and not api and not cdn and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._error(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        commit = hub.commit(name)
        revision = parts[3] if len(parts) > 3 else "main"
        if revision not in ("main", commit):
            return self._error(404, "RevisionNotFound")
        if api:
            return self._json({"id": name, "modelId": name, "sha": commit, "siblings": [], "private": False, "tags": []})
        file = "/".join(parts[4:])
        data = hub.repositories[name].get(file)
        if data is None:
            return self._error(404, "EntryNotFound", commit)
        if cdn:
            return self._large(hub.swapped.get(file, data))
        if not file.endswith(LARGE):
            digest = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self._answer(data, 200, {"ETag": f'"{digest}"', "X-Repo-Commit": commit})
        linked = {"X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Linked-Size": str(len(data)), "X-Repo-Commit": commit}
        return self._answer(b"", 302, {"Location": f"http://localhost:{hub.server_port}/cdn/{path}", **linked})

    do_HEAD = do_GET

    def _large(self, data: bytes) -> None:
        """Send a file, or the rest of it that a Range header asks for; the connection may break."""
        hub, start = self.server, 0
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        body = data[start:]
        if hub.stall and hub.times:
            hub.times -= 1
            threading.Event().wait(hub.stall)
        if hub.breaks and hub.times:
            hub.times -= 1
            body, self.close_connection = body[: hub.breaks], True
        hub.sent += len(body)
        self.wfile.write(body)

    def _error(self, status: int, code: str, commit: str = "") -> None:
        self._answer(b"{}", status, {"X-Error-Code": code, **({"X-Repo-Commit": commit} if commit else {})})

    def _json(self, value: object) -> None:
        self._answer(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    def _answer(self, data: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hub() -> Iterator[Hub]:
    """Run a hub."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
