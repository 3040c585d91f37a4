"""A hub on loopback with the calls that huggingface_hub makes to upload and to download a model: all files are in memory, none is LFS."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_loopback"  # the one that may write


class Hub(ThreadingHTTPServer):
    """Repositories of models.

    Attributes
    ----------
    repositories : dict
        Id -> path -> bytes.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}

    @property
    def address(self) -> str:
        """Return the endpoint."""
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        """Return the commit of a repository: a digest of its files."""
        files = self.repositories[name]
        return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The answers."""

    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._json({"error": "Unauthorized"}, 401)
        if self.path == "/api/repos/create":
            name = "user/" + json.loads(body)["name"].split("/")[-1]
            self.server.repositories.setdefault(name, {})
            return self._json({"url": f"{self.server.address}/{name}"})
        if self.path == "/api/validate-yaml":  # of the model card
            return self._json({"errors": [], "warnings": []})
        user, name, action = self.path.removeprefix("/api/models/").split("/")[:3]
        if action == "preupload":
            files = json.loads(body)["files"]
            return self._json({"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.server.repositories[f"{user}/{name}"][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = self.server.commit(f"{user}/{name}")
        return self._json({"commitUrl": f"{self.server.address}/{user}/{name}/commit/{commit}", "commitOid": commit})

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        files = self.server.repositories.get(name)
        if parts[0] == "api" and parts[1] != "models":
            return self._json({}, 200)
        if files is None:
            return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        if parts[0] == "api" and "tree" in parts:
            return self._json([{"type": "file", "path": path, "size": len(data), "oid": _digest(data)} for path, data in files.items()])
        if parts[0] == "api":
            siblings = [{"rfilename": path} for path in files]
            return self._json(
                {"id": name, "modelId": name, "sha": self.server.commit(name), "siblings": siblings, "private": False, "tags": []}
            )
        data = files["/".join(parts[4:])]
        return self._answer(data, 200, {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": self.server.commit(name)})

    do_HEAD = do_GET

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._answer(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _answer(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
