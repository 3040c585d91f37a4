"""The model card of a bundle, in the form of Hugging Face's hub."""

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finser.predict.bundle import Bundle
from finser.predict.engines import INPUTS

TEMPLATE = "model_card.md.jinja"


def model_card(made: Bundle) -> str:
    """Return README.md of a bundle: data, licences, protocol, scores with intervals, intended use and limits."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    head = {
        "library_name": "finser",
        "pipeline_tag": "audio-classification",
        "license": "other",
        "license_name": "training-corpora",
        "license_link": "#training-data",
        "tags": ["speech-emotion-recognition", "audio"],
        "metrics": ["recall", "accuracy"],
        "model-index": [{"name": made.name, "results": [_result(made)]}],
    }
    return environment.get_template(TEMPLATE).render(
        head=yaml.safe_dump(head, sort_keys=False).strip(),
        bundle=made,
        rate=rate,
        cell=lambda text: str(text).replace("|", "\\|"),
        input=about_input,
    )


def _result(made: Bundle) -> dict:
    """Return UAR and WA of cross-validation in the form of a hub's ``model-index``."""
    corpora = " and ".join(corpus.title for corpus in made.corpora)
    names = (("recall", "UAR, cross-validation by speaker", "uar"), ("accuracy", "WA, cross-validation by speaker", "wa"))
    return {
        "task": {"type": "audio-classification", "name": "speech emotion recognition"},
        "dataset": {"type": "-".join(corpus.name for corpus in made.corpora), "name": corpora},
        "metrics": [{"type": kind, "name": name, "value": round(made.scores[key]["value"], 4)} for kind, name, key in names],
    }


def about_input(name: str) -> str:
    """Return name, shape and source of an input of features.onnx."""
    shape, source = INPUTS[name].shape, INPUTS[name].source
    return f"`{name}`, shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)}): {source}"


def rate(value: float | None) -> str:
    """Return a score with three decimals and no leading zero; a dash for none."""
    return "–" if value is None else f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"
