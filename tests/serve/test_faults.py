"""Whatever is sent: one clear answer, and the server lives on."""

import io
import socket
import struct
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from finser.audio.frames import SR
from finser.serve.limits import Limits

from .conftest import Running, encoded

UNREADABLE = "not readable as audio"
MB = 1_000_000


def post(url: str, content: object, path: str = "/api/predict", **options: object) -> httpx.Response:
    return httpx.post(url + path, content=content, timeout=60, **options)


def error(answer: httpx.Response, status: int) -> str:
    """The one line of an answer that is no success; it names no file or folder of the server."""
    assert answer.status_code == status, answer.text
    (name,) = answer.json()
    line = answer.json()[name]
    assert name == "error" and line and "\n" not in line and tempfile.gettempdir() not in line and "BufferedRandom" not in line
    return line


def lives(url: str) -> None:
    answer = httpx.get(f"{url}/api/health", timeout=30)
    assert answer.status_code == 200 and answer.json()["status"] == "ok" and answer.json()["requests"] == 0, answer.text


def promising(samples: int, sr: int = SR) -> bytes:
    """A WAV file whose header promises many bytes, and that has ten samples."""
    data = encoded(np.full(10, 0.1), sr, subtype="PCM_16")
    return data[:4] + struct.pack("<I", 36 + 2 * samples) + data[8:40] + struct.pack("<I", 2 * samples) + data[44:]


def aiff_promising() -> bytes:
    """An AIFF file whose header promises 2^31 frames."""
    data = bytearray(encoded(np.full(10, 0.1), format="AIFF"))
    at = data.index(b"COMM") + 10
    data[at : at + 4] = struct.pack(">I", 2**31 - 1)
    return bytes(data)


def nan(value: float = np.nan) -> bytes:
    return encoded(np.array([0.1, value, 0.1] * 999, np.float32), subtype="FLOAT")


FAULTS = {
    "a text": (b"To be, or not to be. " * 99, 422, UNREADABLE),
    "an empty file": (b"", 422, "the file is empty"),
    "no samples": (encoded(np.zeros(0)), 422, "holds no sample"),
    "half a header": (b"RIFF\xff\xff\xff\x7fWAVEfmt ", 422, UNREADABLE),
    "NaN": (nan(), 422, "samples that are not numbers"),
    "infinite": (nan(np.inf), 422, "samples that are not numbers"),
    "noise": (np.random.default_rng(0).bytes(50_000), 422, UNREADABLE),
    "too long": (encoded(np.zeros(61 * 8000), 8000, format="FLAC"), 413, "the recording is too long; expected at most 60 s"),
    "an odd rate": (encoded(np.zeros(99), 300), 422, "an unusual recording"),
    "many channels": (encoded(np.zeros((99, 33)), format="WAV"), 422, "an unusual recording"),
    "one sample": (encoded(np.array([0.1]), 192_000), 422, "too short to resample"),
    "cut short": (encoded(np.random.default_rng(0).uniform(-1, 1, SR), format="FLAC")[:20_000], (200, 422), ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_one_line(served: Running, name: str):
    content, status, said = FAULTS[name]
    answer = post(served.url, content)
    if isinstance(status, tuple):
        assert answer.status_code in status
    else:
        assert said in error(answer, status)
    lives(served.url)


@pytest.mark.parametrize("content", [promising(2**30), promising(2**30 - 20, 192_000), aiff_promising()])
def test_a_header_that_promises_2_gb_is_not_believed(served: Running, content: bytes):
    """The file is read as far as it goes, or refused: nothing of the promised size is allocated."""
    process = psutil.Process(served.process)
    before = process.memory_info().rss
    answer = post(served.url, content)
    assert answer.status_code == 200 or error(answer, answer.status_code)
    assert process.memory_info().rss - before < 100 * MB
    lives(served.url)


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults_in_a_batch_are_lines_of_their_own(served: Running, clip: bytes, name: str):
    content, _, said = FAULTS[name]
    answer = httpx.post(f"{served.url}/api/batch", files=[("files", one) for one in (clip, content, clip)], timeout=60)
    first, faulty, last = answer.json()["results"]
    assert answer.status_code == 200 and first["prediction"] == last["prediction"] and first["error"] is None
    assert said in (faulty["error"] or "") and [first["number"], faulty["number"], last["number"]] == [0, 1, 2]
    assert (faulty["error"] is None) != (faulty["prediction"] is None)


def test_what_is_no_upload_is_one_line(served: Running, clip: bytes):
    url = served.url
    assert "expected above 0, at most 60 s" in error(post(url, clip, "/api/predict?window=1000"), 422)
    assert "hop; expected 0.3 to 3 s; found 0.01 s" in error(post(url, clip, "/api/predict?window=3&hop=0.01"), 422)
    assert "window; expected above 0" in error(post(url, clip, "/api/predict?window=nan"), 422)
    assert "give their length, too" in error(post(url, clip, "/api/predict?hop=1"), 422)
    assert "window: Input should be a valid number" in error(post(url, clip, "/api/predict?window=x"), 422)
    assert "not a form" in error(httpx.post(f"{url}/api/predict", files={"files": clip}), 415)
    assert "files" in error(post(url, clip, "/api/batch"), 422)
    assert error(post(url, b"no form", "/api/batch", headers={"Content-Type": "multipart/form-data; boundary=x"}), 400)
    for kind in ("multipart/form-data", "multipart/form-data; boundary="):
        assert error(post(url, b"no boundary", "/api/batch", headers={"Content-Type": kind}), 400)
    assert error(post(url, b"--x\r\ncut short", "/api/batch", headers={"Content-Type": "multipart/form-data; boundary=x"}), 400)
    assert "too many files; expected at most 20" in error(httpx.post(f"{url}/api/batch", files=[("files", b"a")] * 21), 413)
    assert "Not Found" in error(httpx.get(f"{url}/etc/passwd"), 404)
    assert "Not Found" in error(httpx.get(f"{url}/..%2f..%2fapp.py"), 404)
    assert "Method Not Allowed" in error(httpx.get(f"{url}/api/predict"), 405)
    lives(url)


def blocks(size: int):
    """A body without a Content-Length."""
    yield from (bytes(100_000) for _ in range(size // 100_000))


def test_too_large_a_body_is_refused_whether_or_not_its_header_says_so(serving, clip):
    with serving(megabytes=1) as url:
        line = "the body of the request is too large; expected at most 1 MB"
        assert error(post(url, bytes(3 * MB)), 413) == line
        assert error(post(url, blocks(3 * MB)), 413) == line
        assert error(httpx.post(f"{url}/api/batch", files={"files": bytes(3 * MB)}), 413) == line
        form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + bytes(3 * MB) + b"\r\n--x--\r\n"
        chunked = (form[first : first + 65_536] for first in range(0, len(form), 65_536))
        assert error(post(url, chunked, "/api/batch", headers={"Content-Type": "multipart/form-data; boundary=x"}), 413) == line
        lives(url)
        assert post(url, clip).status_code == 200


def test_a_body_that_is_refused_by_its_header_is_not_read(serving):
    with serving(megabytes=1, patience=1) as url, connected(url) as raw:
        raw.sendall(head("POST /api/predict", "Content-Length: 2000000000"))
        assert rest_of(raw).startswith(b"HTTP/1.1 413"), "and then the server does not wait for the rest"


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def connected(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=20)


def rest_of(raw: socket.socket) -> bytes:
    """What the server sends until it closes the connection, which must be within the time limit of the socket."""
    found = b""
    try:
        while data := raw.recv(4096):
            found += data
    except ConnectionResetError:
        pass
    return found


def test_slow_clients_are_given_up(serving, clip):
    """One sends half a head, one half a body, one a byte now and then."""
    with serving(patience=0.5, upload_seconds=1) as url:
        with connected(url) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            assert rest_of(raw) == b""
        with connected(url) as raw:
            raw.sendall(head("POST /api/predict", "Content-Length: 1000") + b"RIFF")
            answer = rest_of(raw)
            assert answer.startswith(b"HTTP/1.1 408") and b"the upload is too slow" in answer
        with connected(url) as raw:
            raw.sendall(head("POST /api/predict", "Content-Length: 1000"))
            drip = threading.Thread(target=dripped, args=(raw,), daemon=True)
            drip.start()
            assert rest_of(raw).startswith(b"HTTP/1.1 408")
            drip.join()
        lives(url)
        assert post(url, clip).status_code == 200


def dripped(raw: socket.socket) -> None:
    for _ in range(15):
        try:
            raw.sendall(b"x")
        except OSError:
            return
        time.sleep(0.1)


def test_a_client_that_goes_leaves_nothing(served: Running):
    for _ in range(5):
        with connected(served.url) as raw:
            raw.sendall(head("POST /api/predict", "Content-Length: 100000") + bytes(50_000))
    time.sleep(0.3)
    lives(served.url)


def test_a_client_that_asks_too_often_waits(serving, clip):
    with serving(per_minute=3) as url:
        assert [post(url, clip).status_code for _ in range(3)] == [200] * 3
        answer = post(url, clip)
        assert "more than 3 requests a minute" in error(answer, 429) and 1 <= int(answer.headers["retry-after"]) <= 20
        lives(url)  # reading is free


def test_beyond_the_places_the_answer_is_503(serving, clip):
    with serving(running=1, waiting=1) as url:
        held = [connected(url) for _ in range(2)]
        for raw in held:
            raw.sendall(head("POST /api/predict", "Content-Length: 1000"))
        while httpx.get(f"{url}/api/health").json()["requests"] < 2:
            time.sleep(0.02)
        answer = post(url, clip)
        assert "2 other requests are being received or computed" in error(answer, 503) and answer.headers["retry-after"] == "2"
        for raw in held:
            raw.close()
        while httpx.get(f"{url}/api/health").json()["requests"]:
            time.sleep(0.02)
        assert post(url, clip).status_code == 200


class Memory:
    """Resident memory of a server, sampled a hundred times a second."""

    def __init__(self, process: int) -> None:
        self.process, self.stop = psutil.Process(process), threading.Event()
        self.rest = self.peak = self.process.memory_info().rss

    def watch(self) -> None:
        while not self.stop.wait(0.01):
            self.peak = max(self.peak, self.process.memory_info().rss)

    @property
    def grown(self) -> int:
        return self.peak - self.rest

    def __str__(self) -> str:
        return f"memory: {self.rest / MB:.0f} MB before, {self.peak / MB:.0f} MB at most"


@contextmanager
def memory_of(served: Running):
    memory = Memory(served.process)
    watcher = threading.Thread(target=memory.watch)
    watcher.start()
    try:
        yield memory
    finally:
        memory.stop.set()
        watcher.join()


def allowed(limits: Limits) -> int:
    """Memory that the server may take beyond what it has at rest, in bytes, by its limits.

    Each connection has the buffers of asyncio (256 KiB while it reads), h11 and uvicorn (64 KiB each). A recording that is computed has
    its float32 samples, three copies of them, and librosa's features of two minutes at a time. Uploads that wait are on the disk.
    """
    computed = 4 * limits.samples(48_000) * 4 + 300 * MB
    return limits.connections * 2**19 + limits.running * computed


def test_500_uploads_at_once(served: Running, clip: bytes):
    """Each gets an answer; memory stays within what the limits allow."""
    assert post(served.url, clip).status_code == 200
    ready = threading.Barrier(500)

    def upload(_: int) -> httpx.Response:
        ready.wait(60)
        with httpx.Client(timeout=120, trust_env=False, verify=False) as client:
            return client.post(f"{served.url}/api/predict", content=clip)

    with memory_of(served) as memory, ThreadPoolExecutor(500) as threads:
        answers = list(threads.map(upload, range(500)))
    counts = Counter(answer.status_code for answer in answers)
    print(f"answers {dict(counts)}; {memory}")
    assert set(counts) <= {200, 429, 503} and counts[200] >= 1 and counts.total() == 500
    for answer in answers:
        assert answer.json()["prediction"]["emotion"] if answer.status_code == 200 else error(answer, answer.status_code)
    assert memory.grown < allowed(Limits(seconds=60))
    lives(served.url)


def test_bodies_are_not_held_in_memory(served: Running):
    """60 at once, of 10 MB each: those that are taken are on the disk, and those that are refused are dropped as they come."""
    body = bytes(10 * MB)

    def upload(_: int) -> httpx.Response:
        with httpx.Client(timeout=120, trust_env=False, verify=False) as client:
            return client.post(f"{served.url}/api/predict", content=body)

    with memory_of(served) as memory, ThreadPoolExecutor(60) as threads:
        answers = list(threads.map(upload, range(60)))
    print(f"answers {dict(Counter(answer.status_code for answer in answers))}; {memory}")
    assert all(error(answer, answer.status_code) for answer in answers) and {answer.status_code for answer in answers} <= {422, 503}
    assert memory.grown < 60 * 2**19 + 50 * MB
    lives(served.url)


def test_a_minute_of_eight_channels_in_a_small_file(served: Running):
    """Silence as FLAC: what a decoder makes of a file may be a thousand times as large as the file."""
    target = io.BytesIO()
    with soundfile.SoundFile(target, "w", 48_000, 8, format="FLAC") as file:
        for _ in range(60):
            file.write(np.zeros((48_000, 8), np.int16))
    with memory_of(served) as memory:
        answer = post(served.url, target.getvalue(), "/api/predict?window=3&hop=1.5&picture=true")
    print(f"{len(target.getvalue()):,} bytes; {memory}")
    assert answer.status_code == 200 and answer.json()["seconds"] == 60
    assert memory.grown < allowed(Limits(seconds=60))
    lives(served.url)
