"""A bundle: a folder with everything that a prediction needs.

``config.json`` holds what :class:`Bundle` describes. Each member, a trained classifier, is a folder below ``members/`` with the files that
its training wrote. ``encoders/NAME`` has the weights of an encoder that is not fine-tuned. ``README.md`` is the model card. `finser bundle`
writes bundles; :class:`finser.predict.predictor.Predictor` reads them.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from finser.audio.frames import SR
from finser.config.base import Fraction, Section
from finser.errors import FinserError
from finser.files import read_json
from finser.predict.traits import Ranges

CONFIG, FEATURES, WEIGHTS = "config.json", "features.onnx", "model.safetensors"  # files of a bundle; the last one of a member
ENCODERS = "encoders"  # folder with the weights of encoders whose statistics members read
FORMAT = 1
SHIPPED = Path(__file__).parent / "shipped"  # the bundle that is installed with finser
Share = Annotated[float, Field(ge=0, le=1)]


class Member(Section):
    """One trained classifier of a bundle.

    Its probabilities are sharpened or flattened by its `temperature`, and weighted by its `weight`; weights add up to 1.
    """

    folder: str = Field(pattern=r"^members/[A-Za-z0-9_.-]+$")
    weight: float = Field(gt=0, le=1)
    temperature: float = Field(1.0, gt=0)


class Point(Section):
    """What a threshold would have done to the out-of-fold predictions."""

    threshold: Share = Field(description="least probability of the first class; clips below it are unsure")
    coverage: Share = Field(description="fraction of the clips at or above it")
    accuracy: Share = Field(description="fraction of these that were right")


class TrainedOn(Section):
    """A corpus that the members were trained on."""

    name: str
    title: str
    licence: str
    source: str = Field(description="synthetic, local, download or table")
    clips: int = Field(ge=1)
    speakers: int = Field(ge=1)


class OtherCorpus(Section):
    """A corpus that no member was trained on, and the bundle's score on it."""

    name: str
    title: str
    source: str = Field(description="synthetic, local, download or table")
    clips: int = Field(ge=1, description="of the bundle's classes")
    speakers: int = Field(ge=1)
    classes: tuple[str, ...] = Field(description="those of the bundle's classes that it has")
    uar: dict = Field(description="value, low and high, by speaker; all of the bundle's classes may be predicted")


class Earlier(Section):
    """What a member learned from before its own training: a corpus, or published weights."""

    use: Literal["FINs", "pretraining", "published weights"]
    name: str
    title: str
    licence: str | None = Field(description="null: not stated in params.yaml")
    source: str = Field(description="synthetic, local, download, table or hub")
    citation: str | None = Field(None, description="publication of weights that finser knows by name")


class Onnx(Section):
    """Graphs of the bundle, compared with torch: features.onnx (features in), and perhaps model.onnx (samples in)."""

    opset: int
    inputs: tuple[str, ...] = Field(("mel", "rms"), description="of features.onnx")
    clips: int = Field(ge=1, description="training clips that were compared")
    bits: Literal[8, 32] = Field(32, description="of the weights")
    same_class: float = Field(
        ge=0, le=1, description="fraction of these clips for which a graph predicts the class that torch predicts; the least of both graphs"
    )
    uar: float | None = Field(None, ge=0, le=1, description="of a graph on these clips, the lower of both; null: not measured")
    torch_uar: float | None = Field(None, ge=0, le=1, description="of torch on these clips")
    features_difference: float = Field(ge=0, description="largest difference of a probability between features.onnx and torch")
    waveform_difference: float | None = Field(None, ge=0, description="the same for model.onnx; null: the bundle has none")


class Bundle(Section):
    """``config.json`` of a bundle."""

    format: Literal[1] = FORMAT
    finser: str = Field(description="version that wrote it")
    name: str = Field(description="classifier or late fusion of params.yaml")
    kind: Literal["single", "folds", "fusion"] = Field(
        "single", description="one classifier trained on all speakers; those of cross-validation; or those of a late fusion"
    )
    classes: tuple[str, ...] = Field(min_length=2)
    sr: int = Field(SR, ge=SR, le=SR, description="sampling rate in Hz, to which recordings are converted")
    quality: Literal["HQ", "VHQ", "MQ"] = Field(description="quality of soxr")
    definition: Literal["frame", "librosa_default"] = Field(description="how librosa's features are computed: label.definition")
    members: tuple[Member, ...] = Field(min_length=1)
    temperature: float = Field(gt=0, description="of the bundle's probabilities, fitted on out-of-fold predictions")
    threshold: Share = Field(description="default of `unsure`; it is among the points")
    points: tuple[Point, ...] = Field(description="thresholds, with coverage and accuracy on out-of-fold predictions")
    protocol: str = Field(description="protocol of the out-of-fold predictions")
    folds: tuple[int, ...]
    n_tested: int = Field(ge=1, description="out-of-fold predictions, over all seeds")
    corpora: tuple[TrainedOn, ...] = Field(min_length=1)
    earlier: tuple[Earlier, ...] = Field((), description="what FINs, pretrained encoders and published weights of members learned from")
    heard_by_fins: int = Field(0, ge=0, description="test speakers of cross-validation on whose clips the FINs of a member were trained")
    ranges: Ranges = Field(description="first and 99th percentile of each trait of the training clips")
    scores: dict = Field(description="those of results/summary/figures.json")
    confidence: Fraction = Field(description="of the intervals")
    others: tuple[OtherCorpus, ...] = Field((), description="corpora of the project that no member was trained on")
    remark: str = Field("", description="what its author adds to the scores")
    onnx: Onnx | None = Field(None, description="graphs of the bundle, if it has any")
    extras: tuple[Literal["opensmile"], ...] = Field((), description="optional packages that its predictions need")

    @property
    def tested_classes(self) -> tuple[str, ...]:
        """Classes of which a clip was tested: UAR is the mean of their recalls."""
        return tuple(name for name in self.classes if self.scores["classes"].get(name, {}).get("recall") is not None)

    @model_validator(mode="after")
    def _consistent(self) -> "Bundle":
        if abs(sum(member.weight for member in self.members) - 1) > 1e-6:
            raise ValueError("the weights of the members do not add up to 1")
        return self


def read(folder: Path) -> Bundle:
    """Read and validate the config.json of a bundle.

    Raises
    ------
    FinserError
        There is no such folder or file, it is of another format, or a member is missing.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise FinserError("no bundle", where=folder, expected=f"a folder with {CONFIG}", do="finser bundle MODEL DEST writes one")
    values = read_json(path)
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise FinserError("a bundle of another format", where=path, expected=FORMAT, found=found, do="write it again: finser bundle")
    try:
        bundle = Bundle.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc'])) or 'config'}: {first['msg']}"
        raise FinserError(what, where=path, do=restoring(folder)) from None
    needed = [PurePosixPath(member.folder) / name for member in bundle.members for name in (CONFIG, WEIGHTS)]
    for name in (*needed, *([FEATURES] if bundle.onnx else [])):
        if not (folder / name).is_file():
            raise FinserError("a file of the bundle is missing", where=folder / name, do=restoring(folder))
    return bundle


def restoring(folder: Path) -> str:
    """Return what to do about a bundle that is incomplete or damaged."""
    return "install finser again" if folder == SHIPPED else "copy the bundle again, or write it again: finser bundle"


def notice(bundle: Bundle, folder: Path) -> str:
    """Return what the bundle that ships with finser is, and what it is not."""
    corpora = " and ".join(f"{corpus.speakers} speakers of {corpus.title}" for corpus in bundle.corpora)
    uar = bundle.scores["uar"]
    interval = f"{bundle.confidence:.0%} interval {uar['low']:.2f} to {uar['high']:.2f}"
    others = "".join(f", {other.uar['value']:.2f} on {other.title}" for other in bundle.others)
    return (
        f"note: no bundle is named: the example that ships with finser is used, a small network, trained on {corpora}: acted English, "
        f"{len(bundle.classes)} emotions. Its UAR is {uar['value']:.2f} on speakers that it has not heard ({interval}){others}; chance is "
        f"{1 / len(bundle.tested_classes):.2f}. It is not for decisions about people. Its card: {folder / 'README.md'}"
    )
