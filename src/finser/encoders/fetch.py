"""Stage `fetch_weights`: download published weights, verify their checksum, and convert them to one format."""

import json
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from safetensors.torch import save_file

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch_weights import Weights
from finser.encoders.conversion import convert, read
from finser.errors import FinserError
from finser.fetching import http
from finser.fetching.download import File, fetch_all
from finser.files import checksum, whole_folder, why
from finser.progress import say


def fetch_weights(params: Params, weights: str, patience: http.Patience | None = None) -> None:
    """Write models/weights/NAME/: model.safetensors, and config.json with the origin of the weights.

    Raises
    ------
    FinserError
        The server fails, the file is missing, its checksum is wrong, or its content differs from params.yaml. A partial download is kept in
        data/downloads/weights for the next run.
    """
    options = params.fetch_weights[weights]
    store = layout.downloads("weights") / weights
    path = locations.weights(weights) if options.source == "local" else downloaded(options, store, patience)
    verify(path, options.sha256)
    tensors, config = convert(read(path), options, path)
    with whole_folder(layout.weights(weights)) as folder:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps({**config, "origin": origin(options)}, indent=2) + "\n", encoding="utf-8")
    say(f"weights {weights}: {sum(tensor.numel() for tensor in tensors.values())} numbers, sha256 verified")


def downloaded(options: Weights, store: Path, patience: http.Patience | None = None) -> Path:
    """Return the path of the file in `store`, after downloading it if needed; an interrupted download resumes."""
    name = PurePosixPath(urlsplit(options.address).path).name
    say(f"{options.address}: licence {options.licence or 'as its publisher states'}; whoever downloads it accepts this licence")
    store.mkdir(parents=True, exist_ok=True)
    patience = patience or http.Patience()
    with http.client(patience) as client:
        file = File(name, "", f"sha256:{options.sha256}")
        fetch_all(http.Link(client, patience), (options.address,), [file], store)
    return store / name


def verify(path: Path, expected: str) -> None:
    """Raise an error if a file has another SHA-256."""
    try:
        found = checksum(path)
    except OSError as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
    if found != expected:
        raise FinserError("wrong sha256", where=path, expected=expected, found=found, do="it was not used")


def origin(options: Weights) -> dict[str, str]:
    """Return the origin of the weights, as params.yaml states it."""
    said = options.model_dump(mode="json", exclude_none=True)
    return {name: str(value) for name, value in said.items()}
