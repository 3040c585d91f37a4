"""Conversion of samples, padding, framing, and the number of values of each feature.

Frame t of a clip y is ``np.pad(y, 1024)[512 t : 512 t + 2048]``, t = 0 .. len(y) // 512: it is centred on sample 512 t, and samples outside
the clip are zero. 2,048 samples at 22,050 Hz are 92.9 ms, the hop of 512 is 23.2 ms. These are librosa's defaults (``center=True``,
``pad_mode="constant"``).
"""

import numpy as np

SR = 22_050  # Hz
N_FFT = 2048  # samples per frame
HOP_LENGTH = 512  # samples from one frame to the next
DIMENSIONS = {"rms": 1, "zcr": 1, "chroma": 12, "mfcc": 20, "mel": 128}  # values of a feature per frame
INT16 = 32_768  # int16 samples are divided by this
FULL_SCALE = (INT16 - 1) / INT16  # the largest sample that int16 holds, as a float; the smallest is -1


def to_int16(y: np.ndarray) -> tuple[np.ndarray, float]:
    """Round to int16. A clip that exceeds full scale is first scaled down as a whole, never clipped.

    Resampling a recording that reaches full scale overshoots it by up to a few dB (ringing of the sinc), so clipping would add distortion
    that the recording does not have.

    Returns
    -------
    pcm : np.ndarray
        int16, the shape of `y`.
    gain : float
        The factor applied; 1.0 if the clip does not exceed full scale.
    """
    high, low = float(np.max(y, initial=0.0)), float(np.min(y, initial=0.0))
    gain = min(1.0, FULL_SCALE / max(high, FULL_SCALE), 1 / max(-low, 1.0))
    scaled = np.multiply(y, gain * INT16)
    return np.rint(scaled, out=scaled).astype(np.int16), gain


def to_float(audio: np.ndarray) -> np.ndarray:
    """Convert int16 samples to float32 of full scale 1: division by 32768, which is exact."""
    return audio.astype(np.float32) / np.float32(INT16)


def n_frames(n_samples: int) -> int:
    """Return the number of frames of a clip of `n_samples`."""
    return n_samples // HOP_LENGTH + 1


def padded(y: np.ndarray) -> np.ndarray:
    """Return a clip with zero padding, cut at the end of its last frame, shape (512 (n_frames + 3),)."""
    return np.pad(y, N_FFT // 2)[: HOP_LENGTH * (n_frames(len(y)) - 1) + N_FFT]


def frames(y: np.ndarray) -> np.ndarray:
    """Return all frames of a clip, as a read-only view of its zero-padded copy.

    Parameters
    ----------
    y : np.ndarray
        Samples of any type, shape (n_samples,); n_samples may be less than a frame.

    Returns
    -------
    np.ndarray
        Shape (n_samples // 512 + 1, 2048), of the type of `y`.
    """
    return np.lib.stride_tricks.sliding_window_view(padded(y), N_FFT)[::HOP_LENGTH]
