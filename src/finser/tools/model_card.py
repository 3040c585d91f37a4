"""The model card of a bundle, in the form of Hugging Face's hub."""

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finser.predict.bundle import Bundle

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
        "license_name": "those of the training corpora",
        "tags": ["speech-emotion-recognition", "audio"],
        "metrics": ["recall"],
    }
    return environment.get_template(TEMPLATE).render(
        head=yaml.safe_dump(head, sort_keys=False).strip(), bundle=made, rate=rate, cell=lambda text: str(text).replace("|", "\\|")
    )


def rate(value: float | None) -> str:
    """Return a score with three decimals and no leading zero; a dash for none."""
    return "–" if value is None else f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"
