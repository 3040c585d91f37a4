import hashlib
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finser import files
from finser.errors import FinserError
from finser.fetching import http

BODY = bytes(range(256)) * 800  # 204,800 bytes: more than one reads at once
SHA = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
EAGER = http.Patience(pause=0.0, silence=5.0)


class Clock(threading.Event):
    """Notes how long it was asked to wait, and does not."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, seconds=None):
        self.waits.append(seconds)
        return self.is_set()


@pytest.fixture
def link():
    with http.client(EAGER) as client:
        yield http.Link(client, EAGER, Clock())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_tried_again(server, answer, link, tmp_path, status):
    server.answers["/a"] = [answer(status=status), answer(b"sorry", status=status), answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY
    assert names(tmp_path) == ["a"]
    assert len(server.asked) == 3


def test_pauses_double(server, answer, tmp_path):
    server.answers["/a"] = [answer(status=503)] * 4 + [answer(BODY)]
    clock = Clock()
    with http.client(EAGER) as client:
        http.save(http.Link(client, http.Patience(pause=0.5), clock), f"{server.address}/a", tmp_path / "a", SHA)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0]


def test_retry_after_goes_before_the_own_pause(server, answer, link, tmp_path):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    wishes = ["7", later, "soon", "-1", ""]
    server.answers["/a"] = [answer(status=429, headers={"Retry-After": wish}) for wish in wishes] + [answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert link.stop.waits[0] == 7
    assert 90 < link.stop.waits[1] <= 100
    assert link.stop.waits[2:] == [0, 0, 0]


def test_a_server_that_asks_for_too_long_is_not_waited_for(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(FinserError, match=r"asks to wait \(.*429.*run it again in 3600 seconds"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert link.stop.waits == []


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (410, 1), (503, EAGER.tries)])
def test_a_server_that_keeps_failing(server, answer, link, tmp_path, status, tries):
    server.answers["/a"] = [answer(b"sorry", status=status)]
    with pytest.raises(FinserError, match=f"/a: cannot be downloaded.*{status}"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert len(server.asked) == tries
    assert names(tmp_path) == []


def test_no_server(link, tmp_path):
    with pytest.raises(FinserError, match="cannot be downloaded"):
        http.save(link, "http://127.0.0.1:9/a", tmp_path / "a")
    assert len(link.stop.waits) == EAGER.tries - 1


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/a", "http://127.0.0.1:port/a"])
def test_an_address_that_can_never_work_is_tried_once(link, tmp_path, address):
    with pytest.raises(FinserError, match="cannot be downloaded"):
        http.save(link, address, tmp_path / "a")
    assert link.stop.waits == []


def test_a_connection_that_breaks_off_goes_on_where_it_was(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(BODY, cut=1000), answer(BODY, cut=5000), answer(status=503), answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA, len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.served == len(BODY)
    assert [headers.get("Range") for _, headers in server.asked] == [None, "bytes=1000-", "bytes=6000-", "bytes=6000-"]
    assert {headers.get("If-Range") for _, headers in server.asked[1:]} == {'"1"'}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    ranges=st.booleans(),
    tag=st.sampled_from(['"1"', "", 'W/"1"']),
    size=st.sampled_from([None, 2560]),
    length=st.booleans(),
)
def test_wherever_it_breaks_off_the_file_is_the_same(server, answer, link, tmp_path, cuts, ranges, tag, size, length):
    body = BODY[:2560]
    length = length or size is None  # without any length, a dropped connection looks like an end
    server.answers["/a"] = [answer(body, cut=cut, ranges=ranges, tag=tag, length=length) for cut in cuts] + [answer(body)]
    http.save(link, f"{server.address}/a", tmp_path / "a", f"md5:{hashlib.md5(body).hexdigest()}", size)
    assert (tmp_path / "a").read_bytes() == body
    (tmp_path / "a").unlink()
    assert names(tmp_path) == []


def test_bytes_that_come_begin_the_count_of_failures_anew(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(BODY, cut=10)] * 3 * EAGER.tries + [answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert server.served == len(BODY)


def test_a_server_that_always_breaks_off_at_the_same_byte_is_given_up(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(BODY, cut=10, ranges=False)]
    with pytest.raises(FinserError, match="cannot be downloaded"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert len(server.asked) == EAGER.tries + 1


def test_a_connection_that_stalls(server, answer, tmp_path):
    server.answers["/a"] = [answer(BODY, cut=1000, stall=True), answer(BODY)]
    patience = http.Patience(pause=0.0, silence=0.1)
    with http.client(patience) as client:
        http.save(http.Link(client, patience), f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.served == len(BODY)


def test_a_server_without_ranges_starts_again(server, answer, link, tmp_path):
    counts = []
    link = http.Link(link.client, EAGER, link.stop, counts.append)
    server.answers["/a"] = [answer(BODY, cut=1000), answer(BODY, ranges=False)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.served == len(BODY) + 1000
    assert sum(counts) == len(BODY)


def test_a_file_that_has_changed_meanwhile_is_not_mixed(server, answer, link, tmp_path):
    other = bytes(len(BODY))
    server.answers["/a"] = [answer(other, tag='"old"', cut=1000), answer(BODY, tag='"new"')]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_date_is_a_mark_and_a_weak_tag_is_none(server, answer, link, tmp_path):
    date = "Mon, 06 Jul 2026 10:00:00 GMT"
    server.answers["/a"] = [answer(BODY, tag='W/"1"', headers={"Last-Modified": date}, cut=9), answer(BODY, tag=date)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert server.asked[1][1]["If-Range"] == date
    assert server.served == len(BODY)


def test_another_range_than_was_asked_for(server, answer, link, tmp_path):
    wrong = answer(BODY, headers={"Content-Range": f"bytes 5-{len(BODY) - 1}/{len(BODY)}"})
    server.answers["/a"] = [answer(BODY, cut=1000), wrong, answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_part_that_is_the_whole(server, answer, link, tmp_path, size):
    (tmp_path / "a.part").write_bytes(BODY)
    server.answers["/a"] = [answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA, size)
    assert names(tmp_path) == ["a"]
    assert server.served == 0


def test_a_part_that_is_too_long(server, answer, link, tmp_path):
    (tmp_path / "a.part").write_bytes(BODY + b"!")
    server.answers["/a"] = [answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY


def test_redirects_are_followed_with_the_range(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(status=302, headers={"Location": "/b"})]
    server.answers["/b"] = [answer(BODY, cut=1000), answer(BODY)]
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert server.served == len(BODY)
    assert [path for path, _ in server.asked] == ["/a", "/b"] * 2


def test_redirects_without_end(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(status=302, headers={"Location": "/a"})]
    with pytest.raises(FinserError, match="cannot be downloaded .*redirects"):
        http.save(link, f"{server.address}/a", tmp_path / "a")
    assert link.stop.waits == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bytes(len(BODY)), "wrong sha256"),
        (BODY[:-1], "wrong sha256"),
        (b"", "wrong sha256"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer in place of the file"),
        (b"<html>sorry</html>", "an HTML page in place of the file"),
        (b"\n<!DOCTYPE html><head><title> Sign\n in </title>", r"an HTML page \('Sign in'\) in place of the file"),
        (b"<?xml version='1.0'?>\n<!-- no -->\n<html/>", "an HTML page in place of the file"),
    ],
)
@pytest.mark.parametrize("size", [None, len(BODY)])
def test_what_is_wrong_is_set_aside_and_fetched_anew(server, answer, link, tmp_path, body, said, size):
    server.answers["/a"] = [answer(body), answer(BODY)]
    with pytest.raises(FinserError, match=f"/a: {said}.*expected {SHA[7:]}.*a.wrong; the next run") as error:
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA, size)
    assert hashlib.sha256(body).hexdigest() in str(error.value)
    assert names(tmp_path) == ["a.wrong"]
    assert (tmp_path / "a.wrong").read_bytes() == body
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA, size)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_page_without_length_in_place_of_a_file(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(b"<html>sorry</html>", length=False)]
    with pytest.raises(FinserError, match="an HTML page in place"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA, len(BODY))
    assert len(server.asked) == 1


def test_a_body_longer_than_the_file_is_not_read_to_its_end(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(bytes(10**8))]
    with pytest.raises(FinserError, match="wrong sha256"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA, 1000)
    assert (tmp_path / "a.wrong").stat().st_size < 10**6


def test_a_file_that_does_not_fit_is_not_begun(server, answer, link, tmp_path, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: files.shutil._ntuple_diskusage(10**6, 10**6, 1000))
    server.answers["/a"] = [answer(BODY)]
    with pytest.raises(FinserError, match=r"not enough disk space; expected 204.8 kB free; found 1.0 kB"):
        http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert names(tmp_path) == []


def test_a_stopped_download_keeps_what_has_come(server, answer, link, tmp_path):
    server.answers["/a"] = [answer(BODY, cut=1000), answer(BODY)]
    stopping = http.Link(link.client, EAGER, link.stop, lambda count: count > 0 and link.stop.set())
    with pytest.raises(http.StoppedError):
        http.save(stopping, f"{server.address}/a", tmp_path / "a", SHA)
    assert http.received(tmp_path / "a") == 1000
    link.stop.clear()
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert server.served == len(BODY)


CHILD = """
import sys
from pathlib import Path
from finser.fetching import http
with http.client(http.Patience()) as client:
    http.save(http.Link(client), sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_download_goes_on(server, answer, link, tmp_path, heed_interrupts, number):
    server.answers["/a"] = [answer(BODY, cut=100_000, stall=True), answer(BODY)]
    program = [sys.executable, "-c", CHILD, f"{server.address}/a", tmp_path / "a"]
    child = subprocess.Popen(program, stderr=subprocess.DEVNULL, preexec_fn=heed_interrupts)
    deadline = time.monotonic() + 60
    while http.received(tmp_path / "a") < 100_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert http.received(tmp_path / "a") == 100_000, "it waits for more"
    child.send_signal(number)
    assert child.wait() != 0
    http.save(link, f"{server.address}/a", tmp_path / "a", SHA)
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.served == len(BODY)
