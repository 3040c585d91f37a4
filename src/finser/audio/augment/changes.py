"""The signal processing of the variants: pure functions of samples and drawn parameters (docs/augmentation.md).

Samples are float32 of full scale 1, shape (n,). A result may exceed full scale: rounding to int16 then scales the whole clip down, so that
nothing is clipped. Levels are mean powers in float64, from sums that NumPy computes in one thread.
"""

from importlib import import_module

import numpy as np
import scipy.fft
import soxr

from finser.audio.augment.vocoder import stretch, times
from finser.audio.decibels import db_to_power
from finser.audio.frames import SR
from finser.errors import FinserError
from finser.seeds import generator

QUALITY = "HQ"  # quality of soxr


def power(y: np.ndarray) -> float:
    """Return the mean square of the samples."""
    return float(np.mean(np.square(y, dtype=np.float64)))


def mix(y: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add `noise` (as long as `y`) so that power(y) / power(noise) is `snr_db`; a silent `y` stays silent.

    Raises
    ------
    FinserError
        The noise is silent, so that no gain gives the level.
    """
    if not power(noise):
        raise FinserError("silent noise has no signal-to-noise ratio", expected="noise that is not digital silence")
    return y + np.float32(np.sqrt(power(y) / power(noise) / 10 ** (snr_db / 10))) * noise


def white(size: int, seed: int) -> np.ndarray:
    """Return white Gaussian noise of variance 1, float32, shape (size,)."""
    return generator(seed, "noise").standard_normal(size, dtype=np.float32)


def add_noise(y: np.ndarray, *, level: float, seed: int) -> np.ndarray:
    """Add white Gaussian noise whose standard deviation is `level` times the clip's peak."""
    return y + np.float32(level) * np.max(np.abs(y), initial=0.0) * white(len(y), seed)


def add_noise_at_snr(y: np.ndarray, *, snr_db: float, seed: int) -> np.ndarray:
    """Add white Gaussian noise at a signal-to-noise ratio in dB."""
    return mix(y, white(len(y), seed), snr_db)


def change_speed_and_pitch(y: np.ndarray, *, rate: float, semitones: float, method: str = "phase_vocoder") -> np.ndarray:
    """Speed `y` up by `rate` and shift its pitch by `semitones`.

    Two passes of the vocoder (librosa.effects.time_stretch, then pitch_shift by a factor p) would smear phases and lose level twice. One
    pass at ``rate / p``, resampled by p, is the same map.

    Parameters
    ----------
    method : {"phase_vocoder", "signalsmith"}
        ``signalsmith`` is the library Signalsmith Stretch, of the optional package python-stretch.

    Returns
    -------
    np.ndarray
        float32, shape (max(1, round(n / rate)),).
    """
    size = max(1, round(len(y) / rate))
    if method == "signalsmith":
        return _fit(_signalsmith(y, rate, semitones), size)
    factor = 2.0 ** (semitones / 12)
    return _fit(soxr.resample(stretch(y, rate / factor), SR * factor, SR, quality=QUALITY), size)


def check_method(method: str) -> None:
    """Raise an error if the package of a `method` of change_speed_and_pitch is not installed."""
    if method == "signalsmith":
        _python_stretch()


def _signalsmith(y: np.ndarray, rate: float, semitones: float) -> np.ndarray:
    stretcher = _python_stretch().Signalsmith.Stretch(0)  # the seed of its noise, which it adds beyond twice the length
    stretcher.preset(1, float(SR))
    stretcher.setTimeFactor(rate)
    stretcher.setTransposeSemitones(semitones)
    return stretcher.process(np.ascontiguousarray(y[None]))[0]


def _python_stretch() -> object:
    try:
        return import_module("python_stretch")
    except ImportError:
        do = 'pip install "finser[signalsmith]", or choose phase_vocoder'
        raise FinserError("the package python-stretch is not installed", where="augment.speed_pitch.method: signalsmith", do=do) from None


def reverberate(y: np.ndarray, *, rt60: float, drr_db: float, seed: int) -> np.ndarray:
    """Convolve with a synthetic room: a direct path of gain 1, then white noise that decays by 60 dB in `rt60` seconds.

    ``scipy.signal.fftconvolve`` computes the same within 1.2e-7, but multiplies spectra with NumPy, whose complex product has other last
    bits on other CPUs.

    Parameters
    ----------
    rt60 : float
        Reverberation time in seconds.
    drr_db : float
        Energy of the direct path over that of the whole tail, in dB.
    seed : int
        Seed of the tail.

    Returns
    -------
    np.ndarray
        float32, shape (n,): the tail after the clip's end is cut off.
    """
    response = room(rt60=rt60, drr_db=drr_db, seed=seed)
    size = scipy.fft.next_fast_len(len(y) + len(response) - 1, real=True)
    spectrum = times(scipy.fft.rfft(y, size), scipy.fft.rfft(response, size))
    return scipy.fft.irfft(spectrum, size)[: len(y)]


def room(*, rt60: float, drr_db: float, seed: int) -> np.ndarray:
    """Return the impulse response of :func:`reverberate`, float32, shape (1 + round(rt60 * 22050),)."""
    decay = db_to_power(-30 * np.arange(1, 1 + round(rt60 * SR)) / (rt60 * SR))
    tail = decay * white(len(decay), seed)
    tail *= np.sqrt(10 ** (-drr_db / 10) / np.sum(tail**2))
    return np.concatenate([[1.0], tail]).astype(np.float32)


def gain(y: np.ndarray, *, db: float) -> np.ndarray:
    """Scale by `db` decibels."""
    return y * np.float32(10 ** (db / 20))


def band_limit(y: np.ndarray, *, sr: int) -> np.ndarray:
    """Resample to `sr` Hz and back, which removes everything above sr / 2; float32, shape (n,)."""
    return _fit(soxr.resample(soxr.resample(y, SR, sr, quality=QUALITY), sr, SR, quality=QUALITY), len(y))


def resampled(y: np.ndarray, sr: int, size: int) -> np.ndarray:
    """Resample `y` from `sr` Hz to 22,050 Hz, and cut or zero-pad it to `size` samples; float32."""
    return _fit(y if sr == SR else soxr.resample(y, sr, SR, quality=QUALITY), size)


def _fit(y: np.ndarray, size: int) -> np.ndarray:
    return np.pad(y[:size], (0, max(0, size - len(y))))
