"""librosa's five features of every frame: what the FINs learn, and what the classifiers can read.

Two definitions (docs/features.md):

- ``frame``: every value is determined by its frame alone. Power chroma with tuning 0, MFCC of
  ``power_to_db(ref=1, amin=1e-10, top_db=None)``, everything else as librosa does it on the zero-padded clip.
- ``librosa_default``: the five plain calls on the whole clip, with its own tuning estimate and its clip-wide ``top_db``.
"""

import warnings
from functools import cache, partial
from itertools import chain

import numpy as np
import scipy.fft

from finser import layout
from finser.audio.frames import DIMENSIONS, INT16, N_FFT, SR, n_frames, padded, to_float
from finser.audio.shards import AudioRow, LabelRow, read_audio, write_labels
from finser.config.schema import Params
from finser.features.cepstrum import N_MELS, N_MFCC, decibels
from finser.progress import say, track
from finser.workers import in_batches, map_in_order

N_CHROMA = DIMENSIONS["chroma"]
TINY = np.finfo(np.float32).tiny
BLOCK = 8  # frames computed together; always as many, so that no value depends on what else is in its batch
BATCH = 32  # clips handed to a worker at once


def label(params: Params, corpus: str) -> None:
    """Step: data/shards/CORPUS -> data/labels/CORPUS, row by row."""
    batches = in_batches(read_audio(layout.shards(corpus)), BATCH)
    function = partial(_label_batch, definition=params.label.definition)
    rows = chain.from_iterable(map_in_order(function, batches))
    total = write_labels(layout.labels(corpus), track(rows, f"label {corpus}"))
    say(f"label {corpus}: {total} rows, definition {params.label.definition}")


def features(y: np.ndarray, definition: str = "frame") -> dict[str, np.ndarray]:
    """The five features of a clip.

    Parameters
    ----------
    y : np.ndarray
        int16 samples, shape (n_samples,), mono, 22,050 Hz.
    definition : {"frame", "librosa_default"}
        See the module's text.

    Returns
    -------
    dict of np.ndarray
        float32, shape (n_samples // 512 + 1, dim): rms (1, full scale 1), zcr (1, share of the samples), chroma (12, the largest
        is 1), mfcc (20, dB), mel (128, power).
    """
    if definition == "frame":
        return _frame_features(y)
    if definition == "librosa_default":
        return _librosa_default(to_float(y))
    raise ValueError(f"unknown definition {definition!r}: 'frame' or 'librosa_default'")


@cache
def mel_bank() -> np.ndarray:
    """``librosa.filters.mel(sr=22050, n_fft=2048)``, shape (128, 1025), float32."""
    import librosa

    return librosa.filters.mel(sr=SR, n_fft=N_FFT, n_mels=N_MELS)


@cache
def chroma_bank() -> np.ndarray:
    """``librosa.filters.chroma(sr=22050, n_fft=2048, tuning=0)``, shape (12, 1025), float32."""
    import librosa

    return librosa.filters.chroma(sr=SR, n_fft=N_FFT, tuning=0.0, n_chroma=N_CHROMA)


def _label_batch(rows: list[AudioRow], definition: str) -> list[LabelRow]:
    return [LabelRow(row.clip_id, row.variant, features(row.audio, definition)) for row in rows]


@cache
def _window() -> np.ndarray:
    # float64, as librosa's: its transform is float64 and rounds after; in float32 the empty bands of a band-limited
    # recording would be off by 3e-3 of their value
    hann = np.hanning(N_FFT + 1)[:-1]  # (2048,): the periodic window, as scipy.signal.get_window("hann", 2048)
    return hann / INT16  # of int16 samples; the power of two is exact


@cache
def triangles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`mel_bank` as what a bin weighs in the one band that rises there, and in the one that falls.

    Returns
    -------
    edges : np.ndarray
        int64, shape (130,): band m rises over bins ``edges[m] : edges[m + 1]`` and falls over ``edges[m + 1] : edges[m + 2]``.
    rising, falling : np.ndarray
        float32, shape (1025,).
    """
    import librosa

    n_bins = N_FFT // 2 + 1
    points = librosa.mel_frequencies(N_MELS + 2, fmin=0, fmax=SR / 2)  # (130,)
    edges = np.searchsorted(librosa.fft_frequencies(sr=SR, n_fft=N_FFT), points)
    band = np.searchsorted(edges, np.arange(n_bins), side="right") - 1  # which rises: 0..128, or 129 at the very end
    fenced = np.concatenate([np.zeros((1, n_bins), np.float32), mel_bank(), np.zeros((2, n_bins), np.float32)])
    return edges, fenced[band + 1, np.arange(n_bins)], fenced[band, np.arange(n_bins)]


def _frame_features(y: np.ndarray) -> dict[str, np.ndarray]:
    from finser.features import kernels  # numba takes half a second to import

    samples, count = padded(y), n_frames(len(y))
    rms, zcr = np.empty((count, 1), np.float32), np.empty((count, 1), np.float32)
    kernels.levels(samples, rms[:, 0], zcr[:, 0])
    n_rows = -(-count // BLOCK) * BLOCK
    mel, chroma = np.empty((n_rows, N_MELS), np.float32), np.empty((n_rows, N_CHROMA), np.float32)
    framed = np.empty((BLOCK, N_FFT))
    for start in range(0, n_rows, BLOCK):
        kernels.windowed(samples, start, _window(), framed)
        spectrum = scipy.fft.rfft(framed, axis=1)  # (block, 1025); pocketfft does not choose its code by the CPU
        kernels.bands(spectrum, *triangles(), chroma_bank(), mel[start : start + BLOCK], chroma[start : start + BLOCK])
    mel = mel[:count]
    return {"rms": rms, "zcr": zcr, "chroma": _normalised(chroma[:count]), "mfcc": _mfcc(mel), "mel": mel}


def _normalised(chroma: np.ndarray) -> np.ndarray:
    """``librosa.util.normalize(norm=np.inf)`` of each row."""
    peak = chroma.max(axis=1, keepdims=True)
    return chroma / np.where(peak < TINY, np.float32(1), peak)


def _mfcc(mel: np.ndarray) -> np.ndarray:
    """``librosa.feature.mfcc(S=power_to_db(mel, ref=1, amin=1e-10, top_db=None))``, shape (n_frames, 20)."""
    return scipy.fft.dct(decibels(mel), axis=1, norm="ortho")[:, :N_MFCC].copy()


def _librosa_default(y: np.ndarray) -> dict[str, np.ndarray]:
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clips shorter than a frame, and of silence without a pitch to tune to
        values = {
            "rms": librosa.feature.rms(y=y),
            "zcr": librosa.feature.zero_crossing_rate(y),
            "chroma": librosa.feature.chroma_stft(y=y, sr=SR),
            "mfcc": librosa.feature.mfcc(y=y, sr=SR, n_mfcc=N_MFCC),
            "mel": librosa.feature.melspectrogram(y=y, sr=SR),
        }
    return {name: np.ascontiguousarray(value.T, dtype=np.float32) for name, value in values.items()}
