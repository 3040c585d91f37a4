"""What every request passes before the application sees it: origin, rate, size, a free place, and patience while its body comes."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import nullcontext
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from finser.serve.limits import Limits, Rate, Slots
from finser.serve.origin import foreign

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
READS = ("GET", "HEAD")
POLICY = (  # the page loads files of this server alone
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


def refused(status: int, what: str, wait: float = 0.0) -> JSONResponse:
    """Return an answer of one line; `wait` is the seconds after which a client may try again."""
    return JSONResponse({"error": what}, status, {"Retry-After": str(math.ceil(wait))} if wait else None)


class Gate:
    """ASGI middleware around the application.

    Parameters
    ----------
    app : ASGI application
        What is behind the gate.
    limits : Limits
        What the server takes.
    slots : Slots
        Places for requests with a body; one is taken before the body is read, so that bodies on the disk are bounded, too.
    names : collection of str
        Further host names that the server answers to.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], limits: Limits, slots: Slots, names: Collection[str] = ()) -> None:
        self.app, self.limits, self.slots, self.names = app, limits, slots, names
        self.rate = Rate(limits.per_minute)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = hardened(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        with nullcontext() if scope["method"] in READS else self.slots.one():
            await self.app(scope, Body(receive, self.limits), send)

    def _refusal(self, scope: MutableMapping[str, Any]) -> JSONResponse | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        why = foreign(headers, self.names)
        if why:
            return refused(403, why)
        length = headers.get("content-length", "0")
        if int(length) > self.limits.bytes:  # h11 has refused what is no number
            return refused(413, too_large(self.limits))
        if scope["method"] in READS:
            return None
        wait = self.rate.wait(scope["client"][0] if scope["client"] else "")
        if wait:
            return refused(429, f"more than {self.limits.per_minute} requests a minute; try again in {math.ceil(wait)} s", wait)
        if self.slots.full:
            return refused(503, f"{self.slots.count} other requests are being received or computed; try again in 2 s", 2)
        return None


def too_large(limits: Limits) -> str:
    """Return the line for a body above the limit."""
    return f"the body of the request is too large; expected at most {limits.megabytes:g} MB"


class Body:
    """The body of a request as it comes: with a most size, whatever its header says, and with an end to patience."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self.receive, self.limits = receive, limits
        self.read, self.whole = 0, False
        self.deadline = asyncio.get_running_loop().time() + limits.upload_seconds

    async def __call__(self) -> Message:
        """Return the next message.

        Raises
        ------
        HTTPException
            The body is too large, or too slow. FastAPI answers with it, wherever the body is read.
        """
        if self.whole:  # a wait for the client's end has no limit
            return await self.receive()
        left = self.deadline - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self.receive(), max(0.0, min(left, self.limits.patience)))
        except TimeoutError:
            raise HTTPException(408, "the upload is too slow, and is given up") from None
        self.read += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.read > self.limits.bytes:
            raise HTTPException(413, too_large(self.limits))
        return message


def hardened(send: Send) -> Send:
    """Return `send` with the headers that tell a browser to load nothing from elsewhere, and to keep nothing."""

    async def sending(message: Message) -> None:
        """Add the headers that an answer lacks, and send it."""
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            message = {**message, "headers": [*message["headers"], *(one for one in HEADERS if one[0] not in there)]}
        await send(message)

    return sending
