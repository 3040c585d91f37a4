"""The model card of a bundle, in the form of Hugging Face's hub."""

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finser.predict.bundle import Bundle
from finser.predict.engines import INPUTS

TEMPLATE = "model_card.md.jinja"
ABOUT = {  # inputs of features.onnx
    "mel": "`librosa.feature.melspectrogram(y=y, sr={sr})`, transposed",
    "rms": "`librosa.feature.rms(y=y)`",
    "statistics": "statistics of MFCC, their deltas, zero-crossing rate and RMS over the frames of a clip: "
    "`finser.features.statistics.summary_statistics`",
    "filter_banks": "Kaldi's log-mel filter banks of the clip, resampled to 16,000 Hz by soxr: `finser.features.filter_banks.filter_banks`",
}


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


def about_input(name: str, sr: int) -> str:
    """Return an input of features.onnx in words; `sr` is in Hz."""
    shape = ", ".join(map(str, INPUTS[name].shape)) + "," * (len(INPUTS[name].shape) == 1)
    return f"`{name}`, shape ({shape}): {ABOUT[name].format(sr=sr)}"


def rate(value: float | None) -> str:
    """Return a score with three decimals and no leading zero; a dash for none."""
    return "–" if value is None else f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"
