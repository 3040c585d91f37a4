"""The application: routes of the HTTP API, and the page."""

import asyncio
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from importlib.metadata import version
from typing import IO, Annotated, Any, TypeVar

from fastapi import FastAPI, File, HTTPException, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect

from finser.errors import FinserError
from finser.files import disk_is_full
from finser.predict.predictor import LocalPredictor
from finser.serve.answers import About, Answer, Fault, Found, Health, Item, Picture, Several, about, found
from finser.serve.decoding import Heard, TooLongError, heard
from finser.serve.gate import HEADERS, Gate, refused
from finser.serve.limits import Limits, Slots, check_windows
from finser.serve.pictures import envelope, spectrogram

Of = TypeVar("Of")
PAGE = {  # path -> file, type
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/recording.js": ("recording.js", "text/javascript; charset=utf-8"),
    "/recorder.js": ("recorder.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
FAULTS = {
    400: "a form that cannot be read, such as one without a boundary",
    403: "a page of another origin, or an unknown Host",
    404: "no such path",
    405: "a method that the path does not have",
    408: "the upload is too slow",
    413: "too many bytes or seconds",
    415: "a form where the bytes of a file belong",
    422: "no audio that can be read, or wrong parameters",
    429: "too many requests of this address",
    500: "an error of the server",
    503: "too many requests at a time",
    507: "no room for the upload",
}
OF_READS = (403, 404, 405, 413, 500)  # faults of requests without a body; a Content-Length above the limit is refused there, too
RAW = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
ABOUT = """Predict emotions of recordings with one bundle of finser. Nothing that is sent is stored.

The prediction is of the emotion that a listener may hear, not of what a person feels. It is not for decisions about people."""
TELEMETRY = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}  # no request leaves a trace


def make(predictor: LocalPredictor, limits: Limits, names: Collection[str] = ()) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    predictor : LocalPredictor
        The bundle that answers.
    limits : Limits
        What the server takes.
    names : collection of str
        Further host names that the server answers to.
    """
    app = FastAPI(title="finser", version=version("finser"), description=ABOUT, docs_url=None, redoc_url=None, telemetry=TELEMETRY)
    slots = Slots(limits.running + limits.waiting)
    api = Api(predictor, limits, slots)
    said = {status: {"model": Fault, "description": what} for status, what in FAULTS.items()}
    read = {status: said[status] for status in OF_READS}
    app.add_api_route("/api/health", api.health, summary="Does the server live?", responses=read)
    app.add_api_route("/api/bundle", api.bundle, summary="Which bundle answers, and what are the limits?", responses=read)
    app.add_api_route("/api/predict", api.predict, methods=["POST"], summary="Predict one recording", responses=said, openapi_extra=RAW)
    app.add_api_route("/api/batch", api.batch, methods=["POST"], summary="Predict several short recordings", responses=said)
    for path, (name, kind) in PAGE.items():
        app.add_api_route(path, _sender(name, kind), methods=["GET", "HEAD"], include_in_schema=False)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    app.add_middleware(Gate, limits=limits, slots=slots, names=names)
    return app


def _sender(name: str, kind: str) -> Callable[[], Response]:
    content = resources.files("finser.serve").joinpath("page", name).read_bytes()

    async def send() -> Response:
        """Return the file."""
        return Response(content, media_type=kind)

    return send


async def _http(request: Request, error: AnyHTTPException) -> JSONResponse:
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    return refused(422, f"{'.'.join(map(str, first['loc'][1:])) or 'request'}: {first['msg']}")


async def _finser(request: Request, error: FinserError) -> JSONResponse:
    return refused(413 if isinstance(error, TooLongError) else 422, error.brief)


async def _system(request: Request, error: OSError) -> JSONResponse:
    if not disk_is_full(error):
        return await _other(request, error)
    return refused(507, "no space left for the upload")


async def _other(request: Request, error: Exception) -> JSONResponse:
    answer = refused(500, f"an error of the server ({type(error).__name__})")
    answer.raw_headers.extend(HEADERS)  # Starlette sends it from outside the gate
    return answer


async def _gone(request: Request, error: ClientDisconnect) -> JSONResponse:
    return refused(400, "the client has gone")  # nobody reads it


HANDLERS: dict[type[Exception], Any] = {
    ClientDisconnect: _gone,
    AnyHTTPException: _http,
    RequestValidationError: _invalid,
    FinserError: _finser,
    OSError: _system,
    Exception: _other,
}


class Api:
    """Routes. Predictions are computed in threads of their own, `limits.running` at a time, since torch may be parallel already."""

    def __init__(self, predictor: LocalPredictor, limits: Limits, slots: Slots) -> None:
        self.predictor, self.limits, self.slots = predictor, limits, slots
        self.workers = ThreadPoolExecutor(limits.running, "finser-predict")

    async def health(self) -> Health:
        """Say that the server lives, and how busy it is."""
        return Health(version=version("finser"), requests=self.slots.taken, places=self.slots.count)

    async def bundle(self) -> About:
        """Return name, classes, scores and corpora of the bundle, and the limits of the server."""
        return about(self.predictor, self.limits)

    async def predict(
        self,
        request: Request,
        window: Annotated[float | None, Query(description="seconds of a window; without it, no windows")] = None,
        hop: Annotated[float | None, Query(description="seconds from one window to the next; default: a third of a window")] = None,
        picture: Annotated[bool, Query(description="whether to add an envelope and a spectrogram")] = False,
    ) -> Answer:
        """Take the bytes of one file as the body of the request, and return the prediction.

        `curl --data-binary @speech.wav "http://127.0.0.1:8300/api/predict?window=3&hop=1"`
        """
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(415, "send the bytes of the file as the body, not a form: curl --data-binary @FILE; or use /api/batch")
        cut = _cut(window, hop, self.limits)
        with tempfile.TemporaryFile() as file:  # it has no name, and is gone even if the process is killed
            async for chunk in request.stream():
                file.write(chunk)
            return await self._computed(partial(self._answer, file, cut, picture))

    async def batch(
        self, files: Annotated[list[UploadFile], File(description="recordings, none longer than limits.clip_seconds")]
    ) -> Several:
        """Take several files as a form, and return a prediction or an error for each, in their order.

        `curl -F files=@a.wav -F files=@b.flac http://127.0.0.1:8300/api/batch`
        """
        if len(files) > self.limits.files:
            raise HTTPException(413, f"too many files; expected at most {self.limits.files}; found {len(files)}")
        return Several(results=[await self._computed(partial(self._item, number, one.file)) for number, one in enumerate(files)])

    async def _computed(self, job: Callable[[], Of]) -> Of:
        return await asyncio.get_running_loop().run_in_executor(self.workers, job)

    def _answer(self, file: IO[bytes], cut: tuple[float, float] | None, picture: bool) -> Answer:
        sound = heard(file, self.limits)
        whole = self._whole(sound, alone=cut is None) if cut is None or sound.seconds <= self.limits.clip_seconds else None
        windows = [] if cut is None else self.predictor.predict_windows(sound.samples, sound.sr, length=cut[0], hop=cut[1])
        return Answer(
            seconds=round(sound.seconds, 3),
            rate=sound.sr,
            prediction=whole,
            windows=[found(one) for one in windows],
            picture=_picture(sound) if picture else None,
        )

    def _whole(self, sound: Heard, *, alone: bool) -> Found:
        most = self.limits.clip_seconds
        if sound.seconds > most:
            do = "ask for windows: window=3&hop=1" if alone else "send it to /api/predict, and ask for windows"
            raise TooLongError(f"too long for one clip; expected at most {most:g} s; found {sound.seconds:.1f} s; {do}")
        return found(self.predictor.predict(sound.samples, sound.sr))

    def _item(self, number: int, file: IO[bytes]) -> Item:
        try:
            return Item(number=number, prediction=self._whole(heard(file, self.limits), alone=False))
        except FinserError as error:
            return Item(number=number, error=error.brief)


def _cut(window: float | None, hop: float | None, limits: Limits) -> tuple[float, float] | None:
    """Return window and hop, in seconds, or None if no windows are asked for."""
    if window is None:
        if hop is not None:
            raise FinserError("hop is for windows; give their length, too: window=3")
        return None
    hop = window / 3 if hop is None else hop
    check_windows(window, hop, limits)
    return window, hop


def _picture(sound: Heard) -> Picture:
    low, high = envelope(sound.samples)
    db, top = spectrogram(sound)
    return Picture(low=low, high=high, db=db, top_hz=top)
