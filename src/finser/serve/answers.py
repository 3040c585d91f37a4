"""Answers of the HTTP API; OpenAPI describes them from here."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field

from finser.predict.bundle import SHIPPED, Bundle
from finser.predict.predictor import LocalPredictor, Prediction
from finser.serve.limits import Limits


class Health(BaseModel):
    """Whether the server lives."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="of finser")
    requests: int = Field(description="that are received, wait or are computed")
    places: int = Field(description="for such requests; beyond them, the answer is 503")


class Fault(BaseModel):
    """Every answer that is no success."""

    error: str = Field(description="one line")


class Score(BaseModel):
    """A score, with its interval."""

    value: float
    low: float | None = Field(description="lower end of the interval; null if too few speakers were tested")
    high: float | None


class Trained(BaseModel):
    """A corpus that the bundle was trained on."""

    title: str
    licence: str
    synthetic: bool = Field(description="whether a synthesizer spoke it")
    clips: int
    speakers: int


class Taken(BaseModel):
    """Limits of the server."""

    megabytes: float
    seconds: float = Field(description="of a recording")
    clip_seconds: float = Field(description="of a recording that is predicted as a whole, and of a window")
    files: int = Field(description="of a batch")
    per_minute: int = Field(description="requests of one client address")


class Other(BaseModel):
    """A score on a corpus that the model was not trained on."""

    name: str
    title: str
    clips: int
    uar: Score


class About(BaseModel):
    """The bundle that answers."""

    name: str
    finser: str = Field(description="version that wrote it")
    classes: list[str]
    members: int = Field(description="classifiers, whose probabilities are averaged")
    temperature: float
    threshold: float = Field(description="probability below which a prediction is unsure")
    protocol: str = Field(description="of cross-validation")
    uar: Score = Field(description="unweighted average recall")
    wa: Score = Field(description="accuracy")
    confidence: float = Field(description="of the intervals")
    tested_clips: int
    tested_speakers: int
    recalls: dict[str, float | None] = Field(description="by class; null if none of its clips was tested")
    corpora: list[Trained]
    others: list[Other]
    example: bool = Field(description="whether it is the example that ships with finser")
    limits: Taken


class Found(BaseModel):
    """The prediction for a clip, or for a window."""

    start: float = Field(description="seconds")
    end: float
    emotion: str
    confidence: float
    unsure: bool = Field(description="whether the confidence is below the threshold")
    probabilities: dict[str, float] = Field(description="calibrated")
    warnings: list[str] = Field(description="how the sound differs from the training clips")


class Picture(BaseModel):
    """What a page draws."""

    low: list[float] = Field(description="least sample of each of up to 800 parts")
    high: list[float] = Field(description="largest sample of each part; full scale is 1")
    db: list[list[int]] = Field(description="columns of 64 mel bands from 0 Hz, in dB below the strongest, -80 to 0")
    top_hz: float = Field(description="upper limit of the bands")


class Answer(BaseModel):
    """The answer for a recording."""

    seconds: float
    rate: int = Field(description="sampling rate of the file in Hz")
    prediction: Found | None = Field(description="for the recording as a whole; null if it is longer than limits.clip_seconds")
    windows: list[Found] = Field(description="only if asked for")
    picture: Picture | None = Field(description="only if asked for")


class Item(BaseModel):
    """A file of a batch: its prediction, or why there is none."""

    number: int = Field(description="place of the file in the request, from 0")
    prediction: Found | None = None
    error: str | None = None


class Several(BaseModel):
    """The answer for a batch."""

    results: list[Item]


def found(prediction: Prediction) -> Found:
    """Return a prediction as an answer, without the name of a file."""
    values = {name: getattr(prediction, name) for name in Found.model_fields if name != "warnings"}
    return Found(**values, warnings=list(prediction.warnings))


def about(predictor: LocalPredictor, limits: Limits) -> About:
    """Return what a user needs to know of the bundle and the server."""
    bundle, scores = predictor.bundle, predictor.bundle.scores
    return About(
        **{name: getattr(bundle, name) for name in ("name", "finser", "temperature", "protocol", "confidence")},
        threshold=predictor.threshold,
        classes=list(bundle.classes),
        members=len(bundle.members),
        uar=_score(scores["uar"]),
        wa=_score(scores["wa"]),
        tested_clips=scores["n_test"],
        tested_speakers=scores["n_test_speakers"],
        recalls={name: one["recall"] for name, one in scores["classes"].items()},
        corpora=list(_trained(bundle)),
        others=[Other(name=one.name, title=one.title, clips=one.clips, uar=_score(one.uar)) for one in bundle.others],
        example=predictor.folder == SHIPPED,
        limits=Taken(**{name: getattr(limits, name) for name in Taken.model_fields}),
    )


def _score(values: dict) -> Score:
    return Score(**{name: values[name] for name in Score.model_fields})


def _trained(bundle: Bundle) -> Iterable[Trained]:
    for one in bundle.corpora:
        facts = {name: getattr(one, name) for name in ("title", "licence", "clips", "speakers")}
        yield Trained(**facts, synthetic=one.source == "synthetic")
