"""uvicorn, with an end to patience for connections that send no whole request, and without logs of requests."""

import asyncio
from collections.abc import Collection
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.h11_impl import H11Protocol

from finser.predict.predictor import LocalPredictor
from finser.serve.app import make
from finser.serve.limits import Limits

MOST_HEADERS = 16_384  # bytes
KEEP_ALIVE = 5  # seconds without a byte between two requests


def server(predictor: LocalPredictor, limits: Limits, names: Collection[str] = ()) -> uvicorn.Server:
    """Return a server that does not listen yet; arguments as in :func:`finser.serve.app.make`."""
    config = uvicorn.Config(
        make(predictor, limits, names),
        http=_protocol(limits.patience),
        ws="none",
        access_log=False,
        log_config=_quiet(),
        log_level="error",
        proxy_headers=False,  # a client could name any address, and pass the limit of its own
        server_header=False,
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=MOST_HEADERS,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=KEEP_ALIVE,
    )
    return uvicorn.Server(config)


def _quiet() -> dict[str, Any]:
    """Return uvicorn's configuration of logs, without the remarks of the parser of forms on what clients send."""
    return {**LOGGING_CONFIG, "loggers": {**LOGGING_CONFIG["loggers"], "python_multipart": {"level": "CRITICAL"}}}


def _protocol(patience: float) -> type[H11Protocol]:
    """Return a protocol that closes a connection which has had no request in progress for `patience` seconds.

    uvicorn waits without end for the rest of a request's head, and reads on when a request was refused before all of it came.
    """

    class Patient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            """Begin to look at the time."""
            super().connection_made(transport)
            self.since = self.loop.time()
            self.loop.call_later(patience, self._look)

        def on_response_complete(self) -> None:
            """Count the time without a request from now on."""
            self.since = self.loop.time()
            super().on_response_complete()

        def _look(self, *_: Any) -> None:
            if self.transport.is_closing():
                return
            busy = self.cycle is not None and not self.cycle.response_complete
            left = patience if busy else self.since + patience - self.loop.time()
            if left > 0:
                self.loop.call_later(left, self._look)
            else:
                self.transport.abort()

    return Patient
