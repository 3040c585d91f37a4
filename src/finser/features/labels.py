"""librosa's five features of every frame: the targets of the FINs, and inputs of the classifiers.

Two definitions (docs/features.md):

- ``frame``: every value is determined by its frame alone. Power chroma with tuning 0, MFCC of
  ``power_to_db(ref=1, amin=1e-10, top_db=None)``, everything else as in librosa on the zero-padded clip.
- ``librosa_default``: the five plain calls on the whole clip, with librosa's tuning estimate and its clip-wide ``top_db``.

The first definition does not call librosa, because the labels must have the same bits on every CPU. librosa's matrix products use BLAS,
whose order of summation depends on the CPU. The products here are SciPy's sparse ones, which add one frequency bin after the other. One
second of audio takes 1.0 ms of CPU, librosa's five calls 6.2 ms. Loops compiled by numba took .76 ms and gave the same bits; 1.4 times the
speed was not worth their 136 lines.
"""

import warnings
from collections.abc import Collection
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from finser import layout
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, INT16, N_FFT, SR, frames, n_frames, padded, to_float
from finser.audio.shards import AudioRow, LabelRow, read_audio, write_labels
from finser.features.cepstrum import N_MELS, N_MFCC, decibels
from finser.features.mel_scale import band_centres, mel_bank
from finser.progress import say, track
from finser.workers import in_batches, map_in_order

if TYPE_CHECKING:
    from finser.config.params import Params  # predictions import this module, and do not need it

N_CHROMA = DIMENSIONS["chroma"]
TINY = np.finfo(np.float32).tiny
BLOCK = 16  # frames per matrix product: a constant, so that no value depends on the length of the clip
BATCH = 32  # clips per task of a worker


def label(params: "Params", corpus: str) -> None:
    """Step: data/shards/CORPUS -> data/labels/CORPUS, row by row."""
    batches = in_batches(read_audio(layout.shards(corpus)), BATCH)
    function = partial(_label_batch, definition=params.label.definition)
    rows = chain.from_iterable(map_in_order(function, batches))
    total = write_labels(layout.labels(corpus), track(rows, f"label {corpus}"))
    say(f"label {corpus}: {total} rows, definition {params.label.definition}")


def features(y: np.ndarray, definition: str = "frame", names: Collection[str] = tuple(DIMENSIONS)) -> dict[str, np.ndarray]:
    """Compute the features of a clip.

    Parameters
    ----------
    y : np.ndarray
        int16 samples, shape (n_samples,), mono, 22,050 Hz.
    definition : {"frame", "librosa_default"}
        See the module's docstring.
    names : collection of str
        Features to compute, by default all five.

    Returns
    -------
    dict of np.ndarray
        The features of `names`, float32, shape (n_samples // 512 + 1, dim): rms (1, full scale 1), zcr (1, fraction of the samples),
        chroma (12, maximum 1), mfcc (20, dB), mel (128, power).
    """
    if definition == "frame":
        return _frame_features(y, names)
    if definition == "librosa_default":
        return {name: value for name, value in _librosa_default(to_float(y)).items() if name in names}
    raise ValueError(f"unknown definition {definition!r}: 'frame' or 'librosa_default'")


@cache
def chroma_bank() -> np.ndarray:
    """Return ``librosa.filters.chroma(sr=22050, n_fft=2048, tuning=0)``, shape (12, 1025), float32."""
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
def _mel_sides() -> csr_array:
    """Return the rising sides of the mel bands, and below them the falling ones, float64, shape (2 * 128, 1025)."""
    rises = np.fft.rfftfreq(N_FFT, 1 / SR) < band_centres()[:, None]  # (128, 1025)
    mel = mel_bank().astype(np.float64)
    return csr_array(np.concatenate([np.where(rises, mel, 0), np.where(rises, 0, mel)]))


@cache
def _sparse_chroma() -> csr_array:
    return csr_array(chroma_bank().astype(np.float64))  # (12, 1025)


def _frame_features(y: np.ndarray, names: Collection[str]) -> dict[str, np.ndarray]:
    found = dict(zip(("rms", "zcr"), levels(y), strict=True))
    if {"mel", "mfcc", "chroma"} & set(names):
        found |= _spectral(y, with_chroma="chroma" in names)
    if "mfcc" in names:
        found["mfcc"] = _mfcc(found["mel"])
    return {name: found[name] for name in DIMENSIONS if name in names}


def _spectral(y: np.ndarray, *, with_chroma: bool) -> dict[str, np.ndarray]:
    """Return mel and, if wanted, chroma of every frame."""
    count = n_frames(len(y))
    rows = -(-count // BLOCK) * BLOCK
    framed = frames(np.pad(y, (0, (rows - count) * HOP_LENGTH)))  # (rows, 2048)
    mel, chroma = np.empty((rows, N_MELS), np.float32), np.empty((rows, N_CHROMA), np.float32)
    for start in range(0, rows, BLOCK):
        power = _power(framed[start : start + BLOCK])  # (1025, block)
        sides = _mel_sides() @ power  # (256, block)
        mel[start : start + BLOCK] = (sides[:N_MELS] + sides[N_MELS:]).T
        if with_chroma:
            chroma[start : start + BLOCK] = (_sparse_chroma() @ power).T
    return {"mel": mel[:count]} | ({"chroma": _normalised(chroma[:count])} if with_chroma else {})


def _power(framed: np.ndarray) -> np.ndarray:
    """Return the power spectra (1025, block), float64, of int16 frames (block, 2048).

    A power is the squared magnitude of the spectrum rounded to complex64, as in librosa. Products of two float32 are exact in float64, so a
    fused multiply-add, where the CPU has one, changes no bit.
    """
    spectrum = np.fft.rfft(framed * _window(), axis=1).astype(np.complex64)  # pocketfft runs the same code on every CPU
    real, imag = spectrum.real.T.astype(np.float64), spectrum.imag.T.astype(np.float64)
    return (real * real + imag * imag).astype(np.float32).astype(np.float64)


def levels(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return RMS (full scale 1) and zero-crossing rate of every frame of int16 samples, float32, shape (n_frames, 1) each.

    Both are computed from exact integer sums over hops of 512 samples; a frame is four hops. Zero counts as positive.
    """
    samples = padded(y).astype(np.int64)
    changes = np.diff(samples < 0, prepend=samples[0] < 0).reshape(-1, HOP_LENGTH)
    squares = np.square(samples).reshape(-1, HOP_LENGTH).sum(1)  # (n_frames + 3,)
    within, first = changes[:, 1:].sum(1), changes[:, 0]  # a change at a frame's first sample does not count
    totals = np.lib.stride_tricks.sliding_window_view(squares, 4).sum(1)
    counts = np.lib.stride_tricks.sliding_window_view(within, 4).sum(1) + np.lib.stride_tricks.sliding_window_view(first[1:], 3).sum(1)
    rms, zcr = np.sqrt(totals / N_FFT) / INT16, counts / N_FFT
    return rms.astype(np.float32)[:, None], zcr.astype(np.float32)[:, None]


def _normalised(chroma: np.ndarray) -> np.ndarray:
    """Return ``librosa.util.normalize(norm=np.inf)`` of each row."""
    peak = chroma.max(axis=1, keepdims=True)
    return chroma / np.where(peak < TINY, np.float32(1), peak)


def _mfcc(mel: np.ndarray) -> np.ndarray:
    """Return ``librosa.feature.mfcc(S=power_to_db(mel, ref=1, amin=1e-10, top_db=None))``, shape (n_frames, 20)."""
    from scipy.fft import dct  # its import takes a third of a second, and most predictions need no MFCC

    return dct(decibels(mel), axis=1, norm="ortho")[:, :N_MFCC].copy()


def _librosa_default(y: np.ndarray) -> dict[str, np.ndarray]:
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for clips shorter than a frame, and for silence, which has no pitch
        values = {
            "rms": librosa.feature.rms(y=y),
            "zcr": librosa.feature.zero_crossing_rate(y),
            "chroma": librosa.feature.chroma_stft(y=y, sr=SR),
            "mfcc": librosa.feature.mfcc(y=y, sr=SR, n_mfcc=N_MFCC),
            "mel": librosa.feature.melspectrogram(y=y, sr=SR),
        }
    return {name: np.ascontiguousarray(value.T, dtype=np.float32) for name, value in values.items()}
