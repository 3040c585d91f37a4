"""Emotions of recordings, by the classifiers of a bundle."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from finser.errors import FinserError
from finser.features.labels import features
from finser.features.rows import Row
from finser.predict import bundle as bundles
from finser.predict.bundle import notice
from finser.predict.engines import engine_of
from finser.predict.sound import Waveform, Windows, cut, float_of_array, of_array, of_file, windows_of_file, windows_of_pcm
from finser.predict.traits import FEATURES, traits, warnings
from finser.progress import say

if TYPE_CHECKING:
    import pandas

BATCH, BATCH_SECONDS = 32, 120.0  # clips per forward pass, and the length of their sound after which no more join
Source = str | Path | tuple[np.ndarray, int]  # a file, or samples and their rate in Hz


@dataclass(frozen=True)
class Prediction:
    """The emotion of a clip, or of a window of a recording.

    Attributes
    ----------
    path : str
        The file; "" for samples.
    start, end : float
        Place in the recording, in seconds.
    emotion : str
        The most probable class.
    confidence : float
        Its probability.
    unsure : bool
        Whether the confidence is below the threshold.
    probabilities : dict of str to float
        Calibrated probability of each class, in the order of the classes.
    warnings : tuple of str
        How the sound differs from the training clips.
    """

    path: str
    start: float
    end: float
    emotion: str
    confidence: float
    unsure: bool
    probabilities: dict[str, float]
    warnings: tuple[str, ...]


class LocalPredictor:
    """Emotions of recordings, by the classifiers of a bundle in a folder.

    Parameters
    ----------
    folder : path, optional
        A bundle, as `finser bundle` writes it; default: the one that ships with finser.
    threshold : float, optional
        Confidence below which a prediction is unsure; default: that of the bundle, below which at most a fifth of the out-of-fold
        predictions are.
    engine : {"auto", "torch", "onnx"}
        What computes the probabilities; see :func:`finser.predict.engines.engine_of`.

    Attributes
    ----------
    bundle : Bundle
        Classes, sampling rate, temperature, scores, and the ranges of the training clips.
    """

    def __init__(self, folder: str | Path | None = None, threshold: float | None = None, engine: str = "auto") -> None:
        self.folder = bundles.SHIPPED if folder is None else Path(folder)
        self.bundle = bundles.read(self.folder)
        self.threshold = self.bundle.threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:
            raise FinserError("no threshold of a probability", expected="0 to 1", found=self.threshold)
        self.engine = engine_of(self.folder, self.bundle, engine)
        self.features = tuple(dict.fromkeys((*FEATURES, *self.engine.features)))
        if folder is None:
            say(notice(self.bundle, self.folder))

    def predict(self, source: Source, sr: int | None = None) -> Prediction:
        """Return the prediction for a whole clip.

        Parameters
        ----------
        source : path or np.ndarray
            A file that libsndfile reads, or samples of shape (n,) or (n, channels): floats of full scale 1, or integers.
        sr : int, optional
            Sampling rate of the samples in Hz.

        Raises
        ------
        FinserError
            The file cannot be read, or there is no sound in it.
        """
        (found,) = self.predict_all([_with_rate(source, sr)])
        return found

    def predict_all(self, sources: Iterable[Source], fault: Callable[[str, FinserError], None] | None = None) -> Iterator[Prediction]:
        """Yield the prediction for each of some clips, in their order.

        At most 32 clips are in memory at a time, or as many as exceed two minutes together. A clip is at most ten minutes long.

        Parameters
        ----------
        sources : iterable, or path
            Files, or pairs of samples and rate; or one file.
        fault : callable, optional
            Called with path and error of a clip that cannot be read, which is then left out. Without it, such a clip is an error.
        """
        yield from self._predictions(self._sounds(sources, fault))

    def _sounds(self, sources: Iterable[Source], fault: Callable[[str, FinserError], None] | None) -> Iterator[tuple[str, Waveform]]:
        for source in [sources] if isinstance(sources, (str, Path)) else sources:
            source = _with_rate(source, None)
            try:
                yield _path_of(source), self._sound(source)
            except FinserError as error:
                if fault is None:
                    raise
                fault(_path_of(source), error)

    def predict_windows(self, source: Source, sr: int | None = None, *, length: float = 3.0, hop: float = 1.0) -> Iterator[Prediction]:
        """Yield the predictions for the windows of a recording of any length.

        Parameters
        ----------
        source, sr
            As in :meth:`predict`.
        length, hop : float
            Seconds of a window, and from one window to the next.
        """
        windows, quality, source = Windows(length, hop), self.bundle.quality, _with_rate(source, sr)
        if isinstance(source, tuple):
            sounds = cut(iter([float_of_array(*source, quality)]), windows)
        else:
            sounds = windows_of_file(Path(source), windows, quality)
        path = _path_of(source)
        yield from self._predictions((path, sound) for sound in sounds)

    def listen(self, stream: IO[bytes], sr: int, length: float = 3.0, hop: float = 1.0) -> Iterator[Prediction]:
        """Yield a prediction for each window of raw 16-bit little-endian mono PCM as soon as the window is complete."""
        sounds = windows_of_pcm(stream, sr, Windows(length, hop), self.bundle.quality)
        yield from self._predictions((("-", sound) for sound in sounds), size=1)

    def frame(self, sources: Iterable[Source]) -> "pandas.DataFrame":
        """Return the predictions as a table: path, start, end, emotion, confidence, unsure, a column per class, and the warnings."""
        import pandas

        rows = [record(prediction) for prediction in self.predict_all(sources)]
        return pandas.DataFrame(rows, columns=columns(self.bundle.classes))

    def _sound(self, source: Source) -> Waveform:
        if isinstance(source, tuple):
            return of_array(*source, self.bundle.quality)
        return of_file(Path(source), self.bundle.quality)

    def _predictions(self, sounds: Iterator[tuple[str, Waveform]], size: int = BATCH) -> Iterator[Prediction]:
        for batch in _batches(sounds, size):
            rows = [Row("", "original", sound.audio, features(sound.audio, self.bundle.definition, self.features)) for _, sound in batch]
            probabilities = self.engine.probabilities(rows)
            for (path, sound), row, values in zip(batch, rows, probabilities, strict=True):
                found = warnings(traits(row.features, row.audio), self.bundle.ranges)
                yield self._prediction(path, sound, values, found)

    def _prediction(self, path: str, sound: Waveform, values: np.ndarray, found: list[str]) -> Prediction:
        best, named = int(values.argmax()), dict(zip(self.bundle.classes, values.tolist(), strict=True))
        confidence = float(values[best])
        unsure, classes = confidence < self.threshold, self.bundle.classes
        return Prediction(path, round(sound.start, 3), round(sound.end, 3), classes[best], confidence, unsure, named, tuple(found))


def _with_rate(source: Source, sr: int | None) -> Source:
    """Return a source as a path, or as samples with their rate."""
    if not isinstance(source, (str, Path, tuple)):
        source = np.asarray(source)
        if sr is None:
            raise FinserError("samples without their rate", do="predict(samples, sr)")
        return source, sr
    if sr is not None:
        raise FinserError("a rate beside a file, which states its own", where=source, do="leave sr out")
    return source


def _batches(sounds: Iterator[tuple[str, Waveform]], size: int) -> Iterator[list[tuple[str, Waveform]]]:
    """Yield up to `size` sounds at a time, and fewer if they are long."""
    held, seconds = [], 0.0
    for path, sound in sounds:
        held.append((path, sound))
        seconds += sound.end - sound.start
        if len(held) == size or seconds > BATCH_SECONDS:
            yield held
            held, seconds = [], 0.0
    if held:
        yield held


def _path_of(source: Source) -> str:
    return "" if isinstance(source, tuple) else str(source)


def columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of a table of predictions."""
    return ["path", "start", "end", "emotion", "confidence", "unsure", *classes, "warnings"]


def record(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as one row of a table."""
    facts = {name: getattr(prediction, name) for name in ("path", "start", "end", "emotion", "confidence", "unsure")}
    return {**facts, **prediction.probabilities, "warnings": "; ".join(prediction.warnings)}
