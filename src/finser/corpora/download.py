"""Publishers' own downloads, verified by checksum before anything is used.

A server's passing troubles (429, 5xx, time-outs) are met by a few tries with growing pauses. ``file://`` addresses work, too.
"""

import csv
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from finser.corpora import archives, registry
from finser.errors import FinserError
from finser.files import checksum, disk_is_full
from finser.params import Download, Params
from finser.progress import say, track

RAVDESS = "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip"
RAVDESS_CHECKSUM = "md5:bc696df654c87fed845eb13823edef8a"
CREMA_D = (
    "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/AudioWAV",
    "https://gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw/HEAD/AudioWAV",  # the authors' mirror: the first's quota is often used up
)
TESS = "https://borealisdata.ca"
TESS_RECORD = "doi:10.5683/SP2/E8H2MF"
ADDRESSES = {"ravdess": RAVDESS, "crema_d": CREMA_D[0], "tess": TESS}

TRIES = 5
PAUSE = 1.0  # seconds before the second try; doubled each time
PASSING = (429, 500, 502, 503, 504)
CHUNK = 2**20  # bytes


def download(params: Params, corpus: str, folder: Path) -> None:
    """Download a corpus into `folder`: the archive at ``fetch.CORPUS.address``, or else what its publisher offers.

    Raises
    ------
    FinserError
        The publisher offers no open download, the server fails, or a checksum is wrong.
    """
    source = params.fetch[corpus]
    known = registry.get(corpus)
    say(f"{known.title}: {known.licence}; {known.home}")
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        if source.address:
            archive(client, source.address, source.checksum, folder)
        elif corpus == "ravdess":
            archive(client, RAVDESS, RAVDESS_CHECKSUM, folder)
        elif corpus == "crema_d":
            crema_d(client, CREMA_D, crema_d_files(), folder / "AudioWAV")
        elif corpus == "tess":
            tess(client, TESS, folder)
        else:
            raise FinserError(
                f"{known.title} has no open download", where=corpus, do=f"{known.how_to_get}; then `finser preset local PATH`"
            )


def address_of(source: Download, corpus: str) -> str | None:
    """The address that a corpus is downloaded from."""
    return source.address or ADDRESSES.get(corpus)


def archive(client: httpx.Client, address: str, expected: str, folder: Path) -> None:
    """Download an archive, verify it (`expected` is ``md5:...`` or ``sha256:...``), unpack it into `folder`, delete it."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / ".download"
    try:
        save(client, address, packed, expected)
        archives.unpack(packed, folder)
    finally:
        packed.unlink(missing_ok=True)


def crema_d_files() -> dict[str, str]:
    """The sha256 of every file of CREMA-D, ``{"1001_DFA_ANG_XX.wav": "sha256:..."}``."""
    with Path(__file__).with_name("crema_d_sha256.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: f"sha256:{row['sha256']}" for row in csv.DictReader(file)}


def crema_d(client: httpx.Client, bases: tuple[str, ...], files: dict[str, str], folder: Path) -> None:
    """Download `files` one by one from the first of the `bases`; once that fails for good, from the next."""
    folder.mkdir(parents=True, exist_ok=True)
    bases = list(bases)
    for name, expected in track(files.items(), "downloading crema_d", total=len(files)):
        while True:
            try:
                save(client, f"{bases[0]}/{name}", folder / name, expected)
                break
            except FinserError as error:
                if len(bases) == 1:
                    raise
                say(f"{error}; going on from {bases[1]}")
                bases.pop(0)


def tess(client: httpx.Client, server: str, folder: Path) -> None:
    """Download every wav that a Dataverse `server` lists for TESS, verified by the md5 in its list."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = f"{server}/api/datasets/:persistentId/?persistentId={TESS_RECORD}"
    for name, number, md5 in track(_listed(client, listing, folder), "downloading tess"):
        save(client, f"{server}/api/access/datafile/{number}", folder / name, f"md5:{md5}")


def _listed(client: httpx.Client, address: str, folder: Path) -> list[tuple[str, int, str]]:
    """Name, number and md5 of every wav in a Dataverse list."""
    listing = folder / ".listing"
    save(client, address, listing)
    try:
        entries = [item["dataFile"] for item in json.loads(listing.read_bytes())["data"]["latestVersion"]["files"]]
        files = [(entry["filename"], entry["id"], entry["md5"]) for entry in entries if entry["filename"].lower().endswith(".wav")]
    except (ValueError, KeyError, TypeError) as error:
        raise FinserError(f"not the list of files that was expected ({error!r})", where=address) from None
    finally:
        listing.unlink()
    for name, _, _ in files:
        if PurePosixPath(name).name != name or "\\" in name:
            raise FinserError("unsafe file name in the list", where=address, found=f"'{name}'")
    return files


def save(client: httpx.Client, address: str, target: Path, expected: str = "") -> None:
    """Stream `address` into `target` and verify it; on failure nothing is left.

    Parameters
    ----------
    address : str
        http, https or file.
    expected : str, optional
        ``md5:...`` or ``sha256:...``; empty: nothing to verify.
    """
    try:
        if urlsplit(address).scheme == "file":
            _copy(address, target)
        else:
            _stream(client, address, target)
        _verify(target, expected, address)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(address: str, target: Path) -> None:
    try:
        shutil.copyfile(unquote(urlsplit(address).path), target)
    except OSError as error:
        if disk_is_full(error):
            raise
        raise FinserError(f"cannot be read ({error.strerror})", where=address) from None


def _stream(client: httpx.Client, address: str, target: Path) -> None:
    for attempt in range(TRIES):
        try:
            with _opened(client, address) as response, target.open("wb") as file:
                for chunk in response.iter_bytes(CHUNK):
                    file.write(chunk)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if not _passes(error) or attempt == TRIES - 1:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise FinserError(f"cannot be downloaded ({reason})", where=address, do="try again later") from None
            time.sleep(PAUSE * 2**attempt)


def _passes(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in PASSING
    return isinstance(error, httpx.TransportError)


@contextmanager
def _opened(client: httpx.Client, address: str) -> Iterator[httpx.Response]:
    with client.stream("GET", address) as response:
        response.raise_for_status()
        yield response


def _verify(path: Path, expected: str, address: str) -> None:
    algorithm, _, digest = expected.partition(":")
    if expected and checksum(path, algorithm) != digest:
        raise FinserError(f"wrong {algorithm}", where=address, expected=digest, found=checksum(path, algorithm), do="it was not used")
