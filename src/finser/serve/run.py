"""`finser serve`: load the bundle, bind the address, and answer until Ctrl-C."""

import socket
import sys
from collections.abc import Collection
from importlib.util import find_spec
from ipaddress import ip_address

import numpy as np

from finser.audio.frames import SR
from finser.errors import FinserError
from finser.files import why
from finser.predict.predictor import LocalPredictor
from finser.serve.decoding import Heard
from finser.serve.limits import Limits
from finser.serve.pictures import spectrogram

NEEDED = ("fastapi", "uvicorn", "python_multipart")


def serve(predictor: LocalPredictor, host: str, port: int, limits: Limits, names: Collection[str] = ()) -> None:
    """Serve the page and the API until the process is interrupted.

    Parameters
    ----------
    predictor : LocalPredictor
        The bundle that answers.
    host : str
        Address to listen at.
    port : int
        0: any that is free.
    limits : Limits
        What the server takes.
    names : collection of str
        Further host names that the server answers to.

    Raises
    ------
    FinserError
        The address cannot be bound.
    """
    from finser.serve.server import server

    with listening(host, port) as bound:
        warm_up(predictor)
        if not is_loopback(bound.getsockname()[0]):
            print(f"warning: {host} is not loopback: others can use this server, and nothing is encrypted", file=sys.stderr)
        print(f"{predictor.bundle.name} answers at {address(bound)}  (Ctrl-C ends it)", flush=True)
        server(predictor, limits, {host.lower(), *names}).run(sockets=[bound])


def warm_up(predictor: LocalPredictor) -> None:
    """Predict and draw a silent second: libraries are loaded now, and not while the first user waits."""
    silence = np.zeros(SR, np.float32)
    predictor.predict(silence, SR)
    spectrogram(Heard(silence, SR))


def check_installed() -> None:
    """Refuse to begin without the packages of the extra `serve`."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise FinserError(f"not installed: {', '.join(missing)}", do='pip install "finser[serve]"')


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise FinserError(f"cannot listen ({why(error)})", where=f"{host}:{port}", do="choose others: --host, --port") from None


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach an address."""
    return ip_address(host.split("%")[0]).is_loopback


def address(bound: socket.socket) -> str:
    """Return the URL of a socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
