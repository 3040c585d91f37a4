"""`finser weights`: the published weights that finser knows by name, and what this project has of them."""

from collections.abc import Iterator

from finser import layout
from finser.config.params import Params
from finser.config.sections.known_weights import AST_FAMILIES, KNOWN, SPEECH_FAMILIES, Known
from finser.errors import FinserError, nearest
from finser.tools.table import align

HEAD = ("name", "family", "MB", "Hz", "licence", "pinned by", "this project")
NOTE = "Pins and licences are second hand: no file was downloaded to check them. `finser weights NAME` prints the details of one."
NONE = "–"


def overview(params: Params | None) -> Iterator[str]:
    """Yield a table of the known weights.

    Parameters
    ----------
    params : Params, optional
        The project's parameters; None outside a project.
    """
    yield from align(HEAD, (row(name, known, params) for name, known in KNOWN.items()))
    yield NOTE


def row(name: str, known: Known, params: Params | None) -> tuple[object, ...]:
    """Return a row of the table."""
    weights = known.weights
    return (name, weights.family, known.megabytes, known.rate or NONE, weights.licence, known.pinned, state(name, params))


def state(name: str, params: Params | None) -> str:
    """Return the state of weights in this project."""
    if params is None or name not in params.fetch_weights:
        return "not in params.yaml"
    return "fetched" if (layout.weights(name) / "config.json").exists() else "in params.yaml, not fetched"


def to_download(params: Params) -> Iterator[str]:
    """Yield what `fetch_weights` will download for each section of params.yaml, and under which licence."""
    for name, section in params.fetch_weights.items():
        if section.source != "local" and not layout.weights(name).exists():
            weights = params.weights_of(name)
            size = "size unknown" if section.source else f"{KNOWN[name].megabytes:,} MB"
            licence = weights.licence or "not stated"
            yield f"fetch_weights will download {name}: {weights.repo or weights.address}; {size}; licence {licence}"


def details(name: str, params: Params | None) -> Iterator[str]:
    """Yield all that is known of weights, and the lines of params.yaml that use them.

    Raises
    ------
    FinserError
        No weights of this name are known.
    """
    if name not in KNOWN:
        raise FinserError(f"no known weights are called '{name}'", do=nearest(name, KNOWN))
    known, weights = KNOWN[name], KNOWN[name].weights
    hidden = {"source"} if weights.family in AST_FAMILIES else {"source", "model_size"}
    shown = {
        "what": known.title,
        **weights.model_dump(exclude_none=True, exclude=hidden),
        "megabytes": known.megabytes,
        "rate": f"{known.rate} Hz" if known.rate else "none: images",
        "citation": known.citation,
        "pinned by": known.pinned,
        "this project": state(name, params),
    }
    width = max(map(len, shown))
    yield from (f"{key:<{width}}  {value}" for key, value in shown.items())
    yield from ("", *lines(name, known), "", f"then: finser fetch_weights {name}, or dvc repro. Its output: {layout.weights(name)}/")


def lines(name: str, known: Known) -> list[str]:
    """Return the lines of params.yaml that use weights."""
    found, init = ["# params.yaml", "fetch_weights:", f"  {name}: {{}}"], layout.weights(name).as_posix()
    if known.weights.family in SPEECH_FAMILIES:
        found += ["features:", f"  encoders: [{name}]  # beside the other keys of features", "fine_tune:"]
        found += [f"  {name}_mlp: {{model: encoder, init: {init}}}  # add {name}_mlp to models"]
    if known.weights.family in AST_FAMILIES:
        size = known.weights.model_size
        options = f"model: ast, init: {init}, model_size: {size}, learning_rate: 0.00005"
        found += ["fine_tune:", f"  ast_pretrained: {{{options}}}  # add ast_pretrained to models"]
    return found
