"""librosa's five features of every frame: what the FINs learn, and what the classifiers can read.

Two definitions (docs/features.md):

- ``frame``: every value is determined by its frame alone. Power chroma with tuning 0, MFCC of
  ``power_to_db(ref=1, amin=1e-10, top_db=None)``, everything else as librosa does it on the zero-padded clip.
- ``librosa_default``: the five plain calls on the whole clip, with its own tuning estimate and its clip-wide ``top_db``.
"""

import warnings
from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import chain, islice

import numpy as np
import scipy.fft
from scipy.sparse import csr_array

from finser import layout
from finser.frames import HOP_LENGTH, N_FFT, frames, to_float
from finser.params import Params
from finser.progress import say, track
from finser.shards import SR, AudioRow, LabelRow, read_audio, write_labels
from finser.workers import map_in_order

N_MELS = 128
N_CHROMA = 12
N_MFCC = 20
AMIN = 1e-10  # floor of a mel power before its logarithm, as in librosa.power_to_db
TINY = np.finfo(np.float32).tiny
BLOCK = 32  # frames computed together; always as many, so that no value depends on what else is in its batch
BATCH = 32  # clips handed to a worker at once


def label(params: Params, corpus: str) -> None:
    """Step: data/shards/CORPUS -> data/labels/CORPUS, row by row."""
    batches = _batches(read_audio(layout.shards(corpus)), BATCH)
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


@cache
def dct_matrix() -> np.ndarray:
    """The first 20 rows of the orthonormal DCT-II of 128 values, shape (20, 128), float64: MFCC = this @ mel in dB."""
    return scipy.fft.dct(np.eye(N_MELS), axis=0, norm="ortho")[:N_MFCC]


def decibels(mel: np.ndarray) -> np.ndarray:
    """``librosa.power_to_db(mel, ref=1, amin=1e-10, top_db=None)``."""
    return 10 * np.log10(np.maximum(mel, np.asarray(AMIN, mel.dtype)))


def _label_batch(rows: list[AudioRow], definition: str) -> list[LabelRow]:
    return [LabelRow(row.clip_id, row.variant, features(row.audio, definition)) for row in rows]


def _batches(rows: Iterable[AudioRow], size: int) -> Iterator[list[AudioRow]]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


@cache
def _window() -> np.ndarray:
    # float64, as librosa's: its transform is float64 and rounds after; in float32 the empty bands of a band-limited
    # recording would be off by 3e-3 of their value
    return np.hanning(N_FFT + 1)[:-1, np.newaxis]  # the periodic window, as scipy.signal.get_window("hann", 2048)


@cache
def _sparse_banks() -> tuple[csr_array, csr_array]:
    # sparse products: most of mel is zero, and no BLAS, whose threads would fight over the workers' cores; chroma's long sums in
    # float64, because they are taken one after the other
    return csr_array(mel_bank()), csr_array(chroma_bank().astype(np.float64))


def _frame_features(y: np.ndarray) -> dict[str, np.ndarray]:
    framed = frames(to_float(y))  # (n_frames, 2048)
    scratch = np.zeros((N_FFT, BLOCK))
    blocks = [_spectral_block(framed[start : start + BLOCK], scratch) for start in range(0, len(framed), BLOCK)]
    spectral = {name: np.concatenate([block[name] for block in blocks]) for name in ("chroma", "mfcc", "mel")}
    return {"rms": _rms(framed), "zcr": _zcr(y), **spectral}


def _spectral_block(framed: np.ndarray, scratch: np.ndarray) -> dict[str, np.ndarray]:
    """Chroma, MFCC and mel of up to 32 frames, shape (n, 2048); `scratch` (2048, 32) is overwritten."""
    n = len(framed)
    np.multiply(framed.T, _window(), out=scratch[:, :n])
    scratch[:, n:] = 0
    spectrum = scipy.fft.rfft(scratch, axis=0).astype(np.complex64)  # (1025, 32)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mel, chroma = (bank @ power for bank in _sparse_banks())  # (128, 32) and (12, 32)
    peak = chroma.max(axis=0)
    chroma = (chroma / np.where(peak < TINY, 1, peak)).astype(np.float32)  # librosa.util.normalize(norm=np.inf)
    mfcc = scipy.fft.dct(decibels(mel), axis=0, norm="ortho")[:N_MFCC]
    return {name: np.ascontiguousarray(values[:, :n].T) for name, values in (("chroma", chroma), ("mfcc", mfcc), ("mel", mel))}


def _rms(framed: np.ndarray) -> np.ndarray:
    """``librosa.feature.rms(center=False)`` of float32 frames, shape (n_frames, 1)."""
    blocks = (np.square(framed[start : start + BLOCK]).mean(axis=1, keepdims=True) for start in range(0, len(framed), BLOCK))
    return np.sqrt(np.concatenate(list(blocks)))


def _zcr(y: np.ndarray) -> np.ndarray:
    """``librosa.feature.zero_crossing_rate(center=False)`` of the padded clip, shape (n_frames, 1); zero counts as positive."""
    negative = np.pad(y, N_FFT // 2) < 0
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])  # before sample i, how many changes of sign
    first = np.arange(len(y) // HOP_LENGTH + 1) * HOP_LENGTH
    return ((changes[first + N_FFT - 1] - changes[first]) / N_FFT).astype(np.float32)[:, np.newaxis]


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
