import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from finser.config.params import Params
from finser.config.sections.fetch import Local, Synthetic

CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")


@pytest.fixture
def write_wav():
    """Write a short tone; another `hertz` gives other bytes."""

    def write(path: Path, hertz: float = 440.0, sr: int = 16_000, gain: float = 0.5, n: int = 1_600, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = gain * np.sin(2 * np.pi * hertz * np.arange(n) / sr)
        soundfile.write(path, options.pop("samples", tone), sr, **{"format": "WAV", "subtype": "PCM_16"} | options)
        return path

    return write


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def params_with():
    """Params in which one corpus has the given source."""

    def build(corpus: str, source=None, **sections) -> Params:
        source = source or Local(allow_partial=True)
        return Params(fetch={name: source if name == corpus else Synthetic() for name in CORPORA}, **sections)

    return build


@dataclass
class Answer:
    """What the server says to one request: `cut` bytes of the body and then silence (`stall`) or a closed connection."""

    body: bytes = b""
    status: int = 200
    tag: str = '"1"'
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    ranges: bool = True
    length: bool = True  # whether it says how long the body is


class Server(ThreadingHTTPServer):
    """A server on loopback; `answers` maps a path to a list of answers, the last of which is repeated."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.served, self.over = {}, [], 0, threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.lock, self.busy, self.most = threading.Lock(), 0, 0

    def handle_error(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        with server.lock:
            server.asked.append((self.path, dict(self.headers)))
            queue = server.answers.get(self.path, [Answer(status=404)])
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            server.busy += 1
            server.most = max(server.most, server.busy)
        try:
            self.answer(answer)
        finally:
            with server.lock:
                server.busy -= 1

    def answer(self, answer):
        status, body, more = answer.status, answer.body, dict(answer.headers)
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if status == 200 and answer.ranges and asked and condition in (None, answer.tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start < len(body):
                more.setdefault("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                status, body = 206, body[start:]
            else:
                more["Content-Range"] = f"bytes */{len(body)}"
                status, body = 416, b""
        self.send_response(status)
        if answer.tag:
            self.send_header("ETag", answer.tag)
        if answer.length:
            self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        sent = body[: answer.cut]
        with self.server.lock:
            self.server.served += len(sent)
        self.wfile.write(sent)
        self.wfile.flush()
        if answer.stall:
            self.server.over.wait(30)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def answer():
    return Answer


@pytest.fixture
def heed_interrupts() -> Callable[[], None]:
    """For a child: what a shell starts in the background is deaf to Ctrl-C, and so are its children."""
    return partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
