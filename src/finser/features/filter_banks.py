"""Kaldi's log-mel filter banks in NumPy, as the Audio Spectrogram Transformer expects them.

They replace ``transformers.ASTFeatureExtractor``, whose logarithms and matrix products (NumPy, or torchaudio if it is installed) have other
last bits on other CPUs; here both have the same bits everywhere. torchaudio is not a dependency of finser. A test compares the values with
the extractor's. The time of both was not compared.
"""

from functools import cache

import numpy as np
import soxr
from scipy.sparse import csr_array

from finser.audio.decibels import natural_log
from finser.audio.frames import HOP_LENGTH, SR, to_float
from finser.features.rows import Reader, Row

RATE = 16_000  # Hz
BANDS = 128
FEATURES, AUDIO, DIM = (), True, BANDS  # what :func:`of_row` reads of a row, and the number of bands
WINDOW, HOP, N_FFT = 400, 160, 512  # samples: 25 ms every 10 ms
PREEMPHASIS = 0.97
FLOOR = 1.192092955078125e-07  # Kaldi's floor of a power, float32's epsilon
QUALITY = "HQ"  # quality of soxr


def reader() -> Reader:
    """Return the reader of filter banks, (n_frames, 128): stored ones, or computed from the samples."""
    return Reader(_banks, FEATURES, AUDIO, stored="filter_banks")


def _banks(row: Row) -> np.ndarray:
    return row.features["filter_banks"] if row.audio is None else of_row(row)


def of_row(row: Row) -> np.ndarray:
    """Return the filter banks of a clip's samples, resampled from 22,050 to 16,000 Hz, shape (n_frames, 128)."""
    return filter_banks(soxr.resample(to_float(row.audio), SR, RATE, quality=QUALITY))


def filter_banks(y: np.ndarray) -> np.ndarray:
    """Return natural logarithms of mel powers, equal to ``transformers.ASTFeatureExtractor(do_normalize=False)`` without torchaudio.

    Each frame loses its mean, then passes pre-emphasis of 0.97, a Hann window, a 512-point DFT, and 128 triangular filters on Kaldi's mel
    scale from 20 to 8,000 Hz.

    Parameters
    ----------
    y : np.ndarray
        Samples in [-1, 1] at 16 kHz, shape (n,). A signal shorter than a window is padded with zeros.

    Returns
    -------
    np.ndarray
        float32, shape (1 + (n - 400) // 160, 128).
    """
    y = np.pad(y.astype(np.float64), (0, max(WINDOW - len(y), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(y, WINDOW)[::HOP]  # (n_frames, 400)
    frames = frames - frames.mean(1, keepdims=True)
    first = frames[:, :1] * (1 - PREEMPHASIS)
    frames = np.hstack([first, frames[:, 1:] - PREEMPHASIS * frames[:, :-1]]) * np.hanning(WINDOW)
    spectrum = np.fft.rfft(frames, N_FFT).astype(np.complex64)  # (n_frames, 257), rounded as the extractor's
    power = spectrum.real.astype(np.float64) ** 2 + spectrum.imag.astype(np.float64) ** 2
    mel = (_triangles() @ power.T).T  # (n_frames, 128)
    return natural_log(np.maximum(mel, FLOOR)).astype(np.float32)


def row_frames(_: Row, n_frames: int) -> np.ndarray:
    """Return the centres of the first `n_frames` filter-bank frames in units of librosa's frames, float, shape (n_frames,)."""
    return (np.arange(n_frames) * HOP + WINDOW / 2) / RATE * SR / HOP_LENGTH


@cache
def _triangles() -> csr_array:
    """Return the weights of the bands, shape (128, 257).

    They equal ``transformers.audio_utils.mel_filter_bank`` with ``mel_scale="kaldi"`` and ``triangularize_in_mel_space=True``, whose import
    takes more than a second. The lowest bands fall between two bins, and are empty, as Kaldi's are. The matrix is sparse, because its
    products then have one order of summation; that of BLAS depends on the CPU.
    """
    corners, bins = np.linspace(_mel(20.0), _mel(RATE / 2), BANDS + 2), _mel(RATE / N_FFT * np.arange(N_FFT // 2 + 1))  # (130,), (257,)
    widths, distances = np.diff(corners), corners[:, None] - bins  # (129,), (130, 257)
    rising, falling = -distances[:-2] / widths[:-1, None], distances[2:] / widths[1:, None]  # (128, 257) each
    return csr_array(np.maximum(0, np.minimum(rising, falling)))


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log(1.0 + hz / 700.0)
