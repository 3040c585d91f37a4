"""Kaldi's log-mel filter banks, as the Audio Spectrogram Transformer expects them, in numpy: torchaudio is never asked."""

import warnings
from functools import cache

import numpy as np
import soxr
from scipy.sparse import csr_array

from finser.audio.decibels import natural_log
from finser.audio.frames import HOP_LENGTH, SR, to_float
from finser.features.rows import Row, Source

RATE = 16_000  # Hz
BANDS = 128
FEATURES, AUDIO, DIM = (), True, BANDS  # what :func:`of_row` reads of a row, and the width of its frames
WINDOW, HOP, N_FFT = 400, 160, 512  # samples: 25 ms every 10 ms
PREEMPHASIS = 0.97
FLOOR = 1.192092955078125e-07  # Kaldi's least power, float32's epsilon
QUALITY = "HQ"  # recipe of soxr


def source() -> Source:
    """Filter banks of a clip, (n_frames, 128): the stored ones, else computed from its samples."""
    return Source(_banks, FEATURES, AUDIO, stored="filter_banks")


def _banks(row: Row) -> np.ndarray:
    return row.features["filter_banks"] if row.audio is None else of_row(row)


def of_row(row: Row) -> np.ndarray:
    """Filter banks of a clip's samples, resampled from 22,050 to 16,000 Hz, shape (n_frames, 128)."""
    return filter_banks(soxr.resample(to_float(row.audio), SR, RATE, quality=QUALITY))


def filter_banks(y: np.ndarray) -> np.ndarray:
    """Natural logarithms of mel powers, as ``transformers.ASTFeatureExtractor(do_normalize=False)`` without torchaudio gives them.

    Every frame: minus its mean, pre-emphasis 0.97, Hann window; 512-point DFT; 128 triangles on Kaldi's mel scale, 20-8,000 Hz.

    Parameters
    ----------
    y : np.ndarray
        Samples in [-1, 1] at 16 kHz, shape (n,); fewer than a window's are continued by zeros.

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
    """Where the centres of the first `n_frames` of a clip's filter banks lie among the row's frames, real numbers, shape (n_frames,)."""
    return (np.arange(n_frames) * HOP + WINDOW / 2) / RATE * SR / HOP_LENGTH


@cache
def _triangles() -> csr_array:
    """Weights of the bands, shape (128, 257); sparse, because a sum then has one order, and BLAS takes another on every kind of CPU."""
    from transformers.audio_utils import mel_filter_bank  # takes seconds

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter")  # of 128 the lowest fall between two bins, as Kaldi's do
        bank = mel_filter_bank(N_FFT // 2 + 1, BANDS, 20, RATE // 2, RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    return csr_array(bank.T)
