"""The published weights that models start from: where they come from, what pins them, and their licence."""

from finser.config.fields import init_kind
from finser.report.read import Results
from finser.report.tables import DASH, code, table

CAPTION = (
    "Published weights that models start from. `fetch_weights` refuses a file with another SHA-256. A dash under *revision* or *SHA-256*: "
    "neither params.yaml nor the table of known weights pins it. models/weights/NAME/config.json has the commit and the SHA-256 of the "
    "file that was used."
)


def published_weights(results: Results) -> str:
    """Source, pins, licence and publication of the published weights that models start from; empty without any."""
    kinds = (init_kind(results.params.classifiers[model].init) for model in results.params.models)
    rows = [_weights_row(results, name) for name in dict.fromkeys(name for kind, name in kinds if kind == "weights")]
    header = ["weights", "published as", "source", "revision", "SHA-256", "licence", "publication"]
    return table(header, rows, left=7) if rows else ""


def _weights_row(results: Results, name: str) -> list[str]:
    weights, known = results.params.weights_of(name), results.params.known_weights_of(name)
    place = weights.repo or weights.address or "a file of this machine"
    pins = [code(pin) if pin else DASH for pin in (weights.revision, weights.sha256)]
    facts = [weights.licence or "not stated", known.citation if known else DASH]
    return [code(name), known.title if known else weights.family or DASH, f"{weights.source}: {place}", *pins, *facts]
