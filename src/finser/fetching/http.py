"""Download of one file: resumed after an interruption, retried after transient errors, and verified.

NAME.part holds the bytes received so far, and NAME.part.mark the server's identifier of its version (ETag or date), so that a part is never
completed with bytes of another version. NAME itself is always verified; a file with a wrong checksum becomes NAME.wrong.

This replaces ``pooch``, which verifies and retries, but starts from byte 0 after every failure, and ``tenacity``, which ignores Retry-After
and does not know whether bytes arrived between two failures. ``httpx`` makes the requests.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event

import httpx

from finser.errors import FinserError
from finser.files import check_room, checksum, impostor
from finser.progress import say

PASSING = (408, 425, 429, 500, 502, 503, 504)  # transient: the same request may succeed later
REPEATED = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)  # these fail every time


@dataclass(frozen=True)
class Patience:
    """Limits of retries: seconds, except `tries`.

    Attributes
    ----------
    tries : int
        Number of consecutive failures without a new byte after which a download fails.
    pause : float
        Pause before the second attempt, doubled each time. Retry-After of the server takes precedence.
    longest : float
        Longest accepted Retry-After; a longer one is an error.
    silence : float
        Time without data after which a connection counts as failed.
    """

    tries: int = 6
    pause: float = 1.0
    longest: float = 600.0
    silence: float = 30.0


@dataclass(frozen=True)
class Link:
    """Shared state of downloads: client, patience, an event that stops all of them, and a function that counts bytes."""

    client: httpx.Client
    patience: Patience = Patience()
    stop: Event = field(default_factory=Event)
    count: Callable[[int], object] = lambda _: None


class StoppedError(Exception):
    """This download was stopped, because another one failed or the user interrupted."""


def client(patience: Patience) -> httpx.Client:
    """Return a client that follows redirects; threads may share it."""
    # identity: a byte range of a compressed stream is no range of the file
    headers = {"User-Agent": "finser", "Accept-Encoding": "identity"}
    return httpx.Client(follow_redirects=True, timeout=patience.silence, headers=headers)


def save(link: Link, address: str, target: Path, expected: str = "", size: int | None = None) -> None:
    """Download `address` to `target`, which must not exist.

    Parameters
    ----------
    link : Link
        Shared by all downloads.
    address : str
        http or https.
    target : Path
        A file in an existing folder. `target`.part of an earlier run is continued.
    expected : str, optional
        ``md5:...`` or ``sha256:...``; empty for no verification.
    size : int, optional
        Size in bytes, if known.

    Raises
    ------
    FinserError
        The server fails (the part is kept), or sends something else (kept as `target`.wrong).
    StoppedError
        `link.stop` was set; the part is kept.
    """
    part = _beside(target, "part")
    failures, furthest = 0, length(part)
    while True:
        try:
            _stream(link, address, part, size)
            break
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failures = 0 if length(part) > furthest else failures + 1
            furthest = max(furthest, length(part))
            _wait(link, address, error, failures)
    _verify(part, target, expected, address)
    part.replace(target)
    _mark(part).unlink(missing_ok=True)


def discard(target: Path) -> None:
    """Delete the part of `target` that was received."""
    _beside(target, "part").unlink(missing_ok=True)
    _mark(_beside(target, "part")).unlink(missing_ok=True)


def received(target: Path) -> int:
    """Return the number of bytes of `target` that an interrupted download received."""
    return length(_beside(target, "part"))


def length(path: Path) -> int:
    """Return the size of a file in bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.name}.{suffix}")


def _mark(part: Path) -> Path:
    return _beside(part, "mark")


def _stream(link: Link, address: str, part: Path, size: int | None) -> None:
    """Request the bytes that `part` lacks once, and append them."""
    here = length(part)
    if size is not None and here >= size:
        return
    with link.client.stream("GET", address, headers=_headers(part, here)) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and _total(response) == here:
            return
        if not _goes_on(response, here):
            link.count(-here)
            part.unlink(missing_ok=True)
        response.raise_for_status()
        if size is None:
            check_room(part.parent, int(response.headers.get("Content-Length", 0)))
        _remember(response, part)
        _write(link, response, part, size)
    if size is not None and length(part) < size and _ends_with_the_connection(response) and not impostor(part):
        raise httpx.RemoteProtocolError(f"it ended after {length(part)} of {size} bytes")


def _headers(part: Path, here: int) -> dict[str, str]:
    if not here:
        return {}
    mark = _mark(part)
    return {"Range": f"bytes={here}-"} | ({"If-Range": mark.read_text(encoding="latin-1")} if mark.exists() else {})


def _goes_on(response: httpx.Response, here: int) -> bool:
    """Return whether the part stays valid: the response continues it, or is an error that does not concern it."""
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        return response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
    return response.is_error and response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE


def _total(response: httpx.Response) -> int | None:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _remember(response: httpx.Response, part: Path) -> None:
    """Write the server's identifier of this version; a weak ETag is ignored, because it does not guarantee the same bytes."""
    tag = response.headers.get("ETag", "")
    mark = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    if mark:
        _mark(part).write_text(mark, encoding="latin-1")
    else:
        _mark(part).unlink(missing_ok=True)


def _write(link: Link, response: httpx.Response, part: Path, size: int | None) -> None:
    if response.status_code == httpx.codes.PARTIAL_CONTENT and not part.exists():
        raise httpx.RemoteProtocolError("it sent another part of the file than it was asked for")
    with part.open("ab") as file:
        # as received: a larger last chunk would be lost with the connection
        for chunk in response.iter_bytes():
            if link.stop.is_set():
                raise StoppedError
            file.write(chunk)
            file.flush()  # a kill loses no received bytes
            link.count(len(chunk))
            if size is not None and file.tell() > size:  # the response may be endless
                return


def _ends_with_the_connection(response: httpx.Response) -> bool:
    """Return whether the response does not mark its end, so that a lost connection looks like one."""
    return not {"content-length", "transfer-encoding"} & set(response.headers)


def _wait(link: Link, address: str, error: Exception, failures: int) -> None:
    """Pause before the next attempt, or give up."""
    if link.stop.is_set():
        raise StoppedError
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    answer = error.response if isinstance(error, httpx.HTTPStatusError) else None
    pause = link.patience.pause * 2 ** max(failures - 1, 0)
    wished = _retry_after(answer) if answer is not None else None
    if not _passes(error) or failures >= link.patience.tries:
        raise FinserError(f"cannot be downloaded ({reason})", where=address, do="the received part is kept: run it again later") from None
    if wished is not None and wished > link.patience.longest:
        do = f"run it again in {wished:.0f} seconds: the received part is kept"
        raise FinserError(f"the server asks to wait ({reason})", where=address, do=do) from None
    pause = pause if wished is None else wished
    say(f"{address}: {reason}; trying again in {pause:.0f} s")
    if link.stop.wait(pause):
        raise StoppedError


def _passes(error: Exception) -> bool:
    """Return whether an error is transient, so that the same request may succeed later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (*PASSING, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE)
    return isinstance(error, httpx.TransportError) and not isinstance(error, REPEATED)


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds to wait from the number or date in Retry-After; None if it is missing or invalid."""
    wish = response.headers.get("Retry-After", "")
    if wish.isdecimal():
        return float(wish)
    try:
        when = parsedate_to_datetime(wish)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _verify(part: Path, target: Path, expected: str, address: str) -> None:
    """Rename `part` to NAME.wrong, and raise an error, if its checksum is wrong."""
    algorithm, _, digest = expected.partition(":")
    found, other = (checksum(part, algorithm) if expected else ""), impostor(part)
    if found == digest and (expected or not other):
        return
    wrong = _beside(target, "wrong")
    part.replace(wrong)
    discard(target)
    what = f"{other} in place of the file" if other else f"wrong {algorithm}"
    do = f"it is set aside as {wrong}; the next run downloads it anew"
    raise FinserError(what, where=address, expected=digest or None, found=found or None, do=do)
