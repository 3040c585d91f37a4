"""Stage `fetch_weights`: download published weights, verify their checksum, and convert them to one format."""

import json
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from safetensors.torch import save_file
from torch import Tensor

from finser import encoders, layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch_weights import COMMIT, Weights
from finser.config.sections.known_weights import AST_FAMILIES, KNOWN, PICKLE, SAFETENSORS
from finser.encoders import hub
from finser.encoders.conversion import convert
from finser.encoders.reading import CONFIG, PREPROCESSOR, Published, configuration_of, read
from finser.encoders.tensors import select
from finser.errors import FinserError
from finser.fetching import http
from finser.fetching.download import File, fetch_all
from finser.files import checksum, impostor, whole_folder, why
from finser.progress import say


def fetch_weights(params: Params, weights: str, patience: http.Patience | None = None) -> None:
    """Write models/weights/NAME/: model.safetensors, and config.json with family, preprocessor and origin of the weights.

    Raises
    ------
    FinserError
        A server fails, a file is missing, its checksum is wrong, or its content differs from params.yaml. Files that were downloaded are
        kept for the next run: those of a hub in the cache of huggingface_hub, others in data/downloads/weights.
    """
    options = params.weights_of(weights)
    files = obtained(options, weights, patience)
    digest = verified(files, options.sha256)
    tensors, config = converted(files, options)
    about = origin(params.fetch_weights[weights], weights, files, digest)
    with whole_folder(layout.weights(weights)) as folder:
        save_file(tensors, folder / SAFETENSORS, metadata={"format": "pt"})
        (folder / CONFIG).write_text(json.dumps({**config, "origin": about}, indent=2) + "\n", encoding="utf-8")
    say(f"weights {weights}: {sum(tensor.numel() for tensor in tensors.values()):,} numbers; sha256 {digest} ({about['sha256_from']})")
    for line in pins(options, weights, about):
        say(line)


def obtained(options: Weights, name: str, patience: http.Patience | None = None) -> Published:
    """Return the files of published weights on this disk, after downloading them if needed."""
    if options.source != "local":
        place = options.repo or options.address
        say(f"{place}: licence {options.licence or 'as its publisher states'}; whoever downloads it accepts this licence")
    if options.source == "hub":
        return hub.download(options)
    if options.source == "local":
        return local(locations.weights(name), options)
    return downloaded(options, layout.downloads("weights") / name, patience)


def downloaded(options: Weights, store: Path, patience: http.Patience | None = None) -> Published:
    """Return the files in `store`, after downloading them if needed; an interrupted download resumes.

    The configuration of an encoder of speech is beside the weights on the server.
    """
    name = PurePosixPath(urlsplit(options.address).path).name
    store.mkdir(parents=True, exist_ok=True)
    patience = patience or http.Patience()
    with http.client(patience) as client:
        link = http.Link(client, patience)
        fetch_all(link, (options.address,), [File(name, "", f"sha256:{options.sha256}")], store)
        if not configured(options):
            return Published(store / name)
        for other in (CONFIG, PREPROCESSOR):
            parts = urlsplit(options.address)
            http.discard(store / other)  # it has no checksum, and may have changed
            (store / other).unlink(missing_ok=True)
            http.save(link, parts._replace(path=str(PurePosixPath(parts.path).with_name(other))).geturl(), store / other)
    return Published(store / name, store / CONFIG, store / PREPROCESSOR)


def local(path: Path, options: Weights) -> Published:
    """Return the files of a folder in the hub's format, or a file of weights with the configuration beside it.

    Raises
    ------
    FinserError
        There is no such file or folder, no weights or no configuration in it, or `file` is given for a file.
    """
    if not path.exists():
        raise FinserError("no such file or folder", where=path, do=f"correct its path in {locations.FILE}")
    if options.file and not path.is_dir():
        raise FinserError("is a file, and params.yaml names a file of a folder", where=path, do=f"name its folder in {locations.FILE}")
    folder = path if path.is_dir() else path.parent
    names = [options.file] if options.file else [SAFETENSORS, PICKLE]
    weights = next((folder / name for name in names if (folder / name).is_file()), None) if path.is_dir() else path
    if weights is None:
        raise FinserError("no weights", where=path, expected=" or ".join(names), do="name the file: `file` in params.yaml")
    config, preprocessor = (folder / name if (folder / name).is_file() else None for name in (CONFIG, PREPROCESSOR))
    if not configured(options):  # beside a single file may be anything
        return Published(weights)
    if config is None:
        raise FinserError("no such file", where=folder / CONFIG, do="copy the publisher's one beside the weights")
    return Published(weights, config, preprocessor)


def configured(options: Weights) -> bool:
    """Return whether a family has networks of several shapes, which config.json tells, rather than `model_size` in params.yaml."""
    return options.family not in (*AST_FAMILIES, "byol_s")


def verified(files: Published, expected: str | None) -> str:
    """Return the SHA-256 of the weights.

    Raises
    ------
    FinserError
        It is not the `expected` one, or not the one that the hub states.
    """
    path = files.weights
    try:
        found, other = checksum(path), impostor(path)
    except OSError as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
    if other:
        raise FinserError(f"{other} in place of weights", where=path, do=f"delete {path.resolve()} and run again")
    if files.stated and found != files.stated:
        do = f"it is damaged: delete {path.resolve()} and run again"
        raise FinserError("another sha256 than the hub states", where=path, expected=files.stated, found=found, do=do)
    if expected and found != expected:
        do = "it was not used; if the publisher changed it, correct revision and sha256 in params.yaml"
        raise FinserError("wrong sha256", where=path, expected=expected, found=found, do=do)
    return found


def converted(files: Published, options: Weights) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors of the network, and its configuration without the origin."""
    config, preprocessor = configuration_of(files, options.family)
    if options.family in AST_FAMILIES:
        tensors, own = convert(read(files.weights), options, files.weights)
        return tensors, {**own, "family": options.family}
    config |= {"family": options.family, "preprocessor": preprocessor}
    expected = encoders.expected_shapes(config)
    return select(read(files.weights), options.family, expected, files.weights), config


def origin(section: Weights, name: str, files: Published, digest: str) -> dict[str, str]:
    """Return where weights come from, for their config.json.

    ``sha256_from`` names what the checksum was compared with: params.yaml, the table of known weights, the hub, or nothing.
    """
    options, known = section.completed(name), None if section.source else KNOWN[name]
    pinned = "params.yaml" if section.sha256 else "the table of known weights" if options.sha256 else None
    keys = ("source", "repo", "revision", "address", "licence")
    about = {key: getattr(options, key) for key in keys} | {
        "model_size": options.model_size if options.family in AST_FAMILIES else None,
        "commit": files.commit,
        "file": files.weights.name,
        "sha256": digest,
        "sha256_from": pinned or ("the hub" if files.stated else "recorded, compared with nothing"),
        "citation": known.citation if known else None,
    }
    return {key: value for key, value in about.items() if value is not None}


def pins(options: Weights, name: str, about: dict[str, str]) -> list[str]:
    """Return the note that asks to pin weights whose revision or content may change; none for pinned ones."""
    if options.source == "hub" and not COMMIT.fullmatch(options.revision or ""):
        new = {"revision": about["commit"], "sha256": about["sha256"]}
    else:
        new = {"sha256": about["sha256"]} if options.source == "local" and not options.sha256 else {}
    if not new:
        return []
    text = ", ".join(f"{key}: {value}" for key, value in new.items())
    return [f"note: dvc.lock pins what was fetched; to pin what others fetch, add to fetch_weights.{name} in params.yaml: {{{text}}}"]
