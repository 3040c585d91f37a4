"""What the page draws of a recording: an envelope of its waveform, and a small log-mel spectrogram."""

import numpy as np

from finser.serve.decoding import Heard

POINTS = 800  # of the envelope
COLUMNS, BANDS, PER_COLUMN = 400, 64, 8  # of the spectrogram; frames that are averaged in a column
N_FFT = 1024
TOP_HZ = 8_000.0
FLOOR_DB = -80


def envelope(samples: np.ndarray) -> tuple[list[float], list[float]]:
    """Return the least and the largest sample of up to 800 equal parts, shape (n,) each, with three decimals."""
    edges = np.linspace(0, len(samples), min(POINTS, len(samples)) + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    return np.round(low.astype(float), 3).tolist(), np.round(high.astype(float), 3).tolist()


def spectrogram(heard: Heard) -> tuple[list[list[int]], float]:
    """Return mel power in dB below the strongest band and frame, -80 to 0, and the upper limit of the bands.

    Returns
    -------
    db : list of list of int
        Shape (columns, 64): up to 400 columns, each the mean over up to 8 frames.
    top : float
        Hz; the bands begin at 0.
    """
    import librosa

    top = min(TOP_HZ, heard.sr / 2)
    padded = np.pad(heard.samples, (0, max(0, N_FFT - len(heard.samples))))
    columns = min(COLUMNS, 1 + (len(padded) - N_FFT) // (N_FFT // 4))
    starts = np.linspace(0, len(padded) - N_FFT, columns * PER_COLUMN).astype(int)
    bank = librosa.filters.mel(sr=heard.sr, n_fft=N_FFT, n_mels=BANDS, fmax=top)  # (64, n_fft / 2 + 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[starts] * np.hanning(N_FFT).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    mel = (power @ bank.T).reshape(columns, PER_COLUMN, BANDS).mean(1)  # (columns, 64)
    db = 10 * np.log10(np.maximum(mel, 1e-12) / max(float(mel.max()), 1e-12))
    return np.maximum(np.round(db), FLOOR_DB).astype(int).tolist(), top
