"""Time from the samples of a clip to its probabilities: all that a prediction computes."""

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

from finser.features.examples import Examples, by_speaker, read_examples
from finser.features.labels import features
from finser.features.rows import Reader, Row
from finser.models import Classifier

TIMED = 16  # clips at most; a prediction has up to 32 in a batch
ORIGINALS = ("original",)
SAMPLES = Reader(lambda row: row.audio, audio=True)


def ms_from_samples(classifier: Classifier, reader: Reader, test: pa.Table, classes: tuple[str, ...], definition: str) -> float:
    """Return the milliseconds per clip of :func:`probabilities_of` on some test clips, in one call as in a prediction.

    The first clip is predicted before, without timing, so that the encoder and constant tables are loaded. The device is that
    of the job, which has no GPU for classifiers that are too small to gain from one, whatever their encoder.

    Parameters
    ----------
    classifier, reader
        A trained classifier, and the reader of its inputs.
    test : pa.Table
        Test part of a split. Up to `TIMED` of its clips are used, evenly spread; samples are read before the time is taken.
    classes : tuple of str
        Classes, in their order.
    definition : {"frame", "librosa_default"}
        Definition of librosa's features.
    """
    places = np.linspace(0, test.num_rows - 1, min(TIMED, test.num_rows)).round().astype(int)
    clips = read_examples(SAMPLES, {"test": test.take(places)}, {"test": ORIGINALS}, classes)["test"]
    probabilities_of(classifier, reader, clips.at([0]), definition)
    started = time.perf_counter()
    probabilities_of(classifier, reader, clips, definition)
    return 1000 * (time.perf_counter() - started) / len(clips)


def probabilities_of(classifier: Classifier, reader: Reader, clips: Examples, definition: str) -> np.ndarray:
    """Return the class probabilities of clips, float64, shape (n, classes), with everything computed from their samples.

    Nothing that is stored of a clip is read. If the reader scales by speaker, the clips of a speaker among `clips` are scaled together.

    Parameters
    ----------
    classifier, reader, definition
        As in :func:`ms_from_samples`.
    clips : Examples
        The inputs are int16 samples at 22,050 Hz, each of shape (n_samples,).
    """
    rows = [Row("", "original", samples, features(samples, definition, reader.features)) for samples in clips.inputs]
    given = replace(clips, inputs=[reader.convert(row) for row in rows])
    return classifier.probabilities((by_speaker(given) if reader.by_speaker else given).inputs)
