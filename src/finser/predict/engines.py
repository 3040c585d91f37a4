"""From the sound of clips to a bundle's probabilities, by torch or by onnxruntime."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from finser.audio.frames import DIMENSIONS, SR
from finser.config.sections.classifiers import ClassifierSection, EncoderSection
from finser.errors import FinserError
from finser.features import filter_banks, statistics
from finser.features.rows import Reader, Row
from finser.models import Classifier, load, module_of
from finser.predict.bundle import CONFIG, ENCODERS, FEATURES, WEIGHTS, Bundle, Member, restoring
from finser.scores.calibration import rescale

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True)
class Input:
    """An input of features.onnx.

    Attributes
    ----------
    shape : tuple
        A word is a length that changes.
    convert : callable
        Row -> float32 array of this shape.
    features : tuple of str
        librosa's features that `convert` needs.
    source : str
        What computes it, for the model card.
    """

    shape: tuple[str | int, ...]
    convert: Callable[[Row], np.ndarray]
    features: tuple[str, ...]
    source: str


INPUTS = {
    "mel": Input(
        ("frames", DIMENSIONS["mel"]),
        lambda row: row.features["mel"],
        ("mel",),
        f"`librosa.feature.melspectrogram(y=y, sr={SR})`, transposed",
    ),
    "rms": Input(("frames",), lambda row: row.features["rms"][:, 0], ("rms",), "`librosa.feature.rms(y=y)`"),
    "statistics": Input(
        (statistics.DIM,),
        statistics.summary_statistics,
        statistics.FEATURES,
        "statistics of MFCC, their deltas, zero-crossing rate and RMS over the frames of a clip: "
        "`finser.features.statistics.summary_statistics`",
    ),
    "filter_banks": Input(
        ("frames", filter_banks.BANDS),
        filter_banks.of_row,
        (),
        "Kaldi's log-mel filter banks of the clip, resampled to 16,000 Hz by soxr: `finser.features.filter_banks.filter_banks`",
    ),
}


class ProbabilityEngine(Protocol):
    """What computes probabilities.

    Attributes
    ----------
    features : tuple of str
        librosa's features that a row must have.
    """

    features: tuple[str, ...]

    def probabilities(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the calibrated probabilities of clips, float64, shape (n, classes)."""


class TorchEngine:
    """The members of a bundle as they were trained; an SVM needs no torch."""

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.bundle = bundle
        self.classifiers = [_member(folder, member, bundle.classes) for member in bundle.members]
        self.readers = [_reader(classifier.options, folder) for classifier in self.classifiers]
        self.features = tuple(dict.fromkeys(name for reader in self.readers for name in reader.features))

    def probabilities(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the calibrated probabilities of clips, float64, shape (n, classes)."""
        total = np.zeros((len(rows), len(self.bundle.classes)))
        for member, classifier, reader in zip(self.bundle.members, self.classifiers, self.readers, strict=True):
            own = classifier.probabilities([reader.convert(row) for row in rows])
            total += member.weight * (own if member.temperature == 1 else rescale(own, member.temperature))
        return rescale(total, self.bundle.temperature)


class OnnxEngine:
    """The graph features.onnx of a bundle, which includes its temperatures and weights."""

    def __init__(self, folder: Path) -> None:
        self.session = session(folder / FEATURES)
        self.inputs = tuple(one.name for one in self.session.get_inputs())
        if unknown := sorted(set(self.inputs) - set(INPUTS)):
            found, expected = ", ".join(unknown), f"of {', '.join(INPUTS)}"
            raise FinserError("a graph with other inputs", where=folder / FEATURES, expected=expected, found=found, do=restoring(folder))
        self.features = tuple(dict.fromkeys(name for one in self.inputs for name in INPUTS[one].features))

    def probabilities(self, rows: Sequence[Row]) -> np.ndarray:
        """Return the calibrated probabilities of clips, float64, shape (n, classes)."""
        inputs = ({name: INPUTS[name].convert(row) for name in self.inputs} for row in rows)
        return np.stack([self.session.run(None, one)[0] for one in inputs]).astype(np.float64)


def engine_of(folder: Path, bundle: Bundle, kind: str = "auto") -> ProbabilityEngine:
    """Return the engine of a bundle.

    Parameters
    ----------
    folder, bundle
        The bundle and its config.json.
    kind : {"auto", "torch", "onnx"}
        ``auto`` takes onnxruntime if the bundle has a graph and onnxruntime is installed, because it starts faster. Both give the same
        probabilities, up to the difference that the bundle states.
    """
    if kind not in ("auto", "torch", "onnx"):
        raise FinserError("no such engine", expected="auto, torch or onnx", found=kind)
    if kind == "onnx" and bundle.onnx is None:
        raise FinserError("the bundle has no ONNX graph", where=folder, do="write it with: finser bundle MODEL DEST --onnx")
    if kind == "torch" or bundle.onnx is None or (kind == "auto" and find_spec("onnxruntime") is None):
        return TorchEngine(folder, bundle)
    return OnnxEngine(folder)


def session(path: Path) -> "onnxruntime.InferenceSession":
    """Load a graph into onnxruntime, with one thread: the networks are small, and several predictions may run at once."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # versions from 1.29 on would identify this machine, and report what they run
    try:
        import onnxruntime
    except ImportError:
        raise FinserError("onnxruntime is not installed", where=path, do="pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not path.is_file():
        raise FinserError("no such file", where=path, do=restoring(path.parent))
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public class
        what = " ".join(str(error).split())[:200]
        raise FinserError(f"not a readable graph ({what})", where=path, do=restoring(path.parent)) from None


def _reader(options: ClassifierSection, folder: Path) -> Reader:
    """Return the reader of a member's inputs; statistics of an encoder are computed with the weights in the bundle."""
    if not isinstance(options, EncoderSection):
        return module_of(options).reader(options)
    weights = folder / ENCODERS / options.reads[0]
    for name in (CONFIG, WEIGHTS):
        if not (weights / name).is_file():
            raise FinserError("a file of the bundle is missing", where=weights / name, do=restoring(folder))
    return module_of(options).reader(options, weights)


def _member(folder: Path, member: Member, classes: tuple[str, ...]) -> Classifier:
    try:
        classifier, config = load(folder / member.folder)
    except FinserError as error:  # whose advice is for the project that trained it
        raise FinserError(error.brief, where=error.where or folder / member.folder, do=restoring(folder)) from None
    if tuple(config["classes"]) != classes:
        where, found = folder / member.folder, ", ".join(config["classes"])
        raise FinserError("a member of other classes", where=where, expected=", ".join(classes), found=found)
    return classifier
