"""Traits of a recording that tell whether it is like the training clips: level, length, bandwidth, noise, voice.

Most are computed from librosa's RMS and mel power of every frame, which the classifiers read anyway.
"""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from pydantic import Field

from finser.audio.frames import HOP_LENGTH, SR
from finser.config.base import Section
from finser.features.mel_scale import band_centres

SILENCE_DB = -90.0  # floor of a level
QUIET_DB = -60.0  # a recording whose loudest frame is below this is almost silent
BAND_DB = 50.0  # a band counts to the bandwidth if its mean power is within this of the strongest band's
NOISE_PERCENTILE, LOUD_PERCENTILE = 10, 90  # of the frames' levels
WORDS = {  # per trait: what to say below and above its range, if anything, and its unit
    "seconds": ("short", "long", "{:.1f} s"),
    "level_db": ("quiet", "loud", "{:.1f} dB"),
    "bandwidth_hz": ("narrow in bandwidth", "", "{:.0f} Hz"),
    "contrast_db": ("noisy or steady (little contrast of loud and quiet frames)", "", "{:.1f} dB"),
    "voiced": ("few voiced frames, perhaps no speech", "", "{:.0%}"),
}
NAMES = tuple(WORDS)
FEATURES = ("rms", "mel")  # that the traits are computed from
VOICE_FRAME, VOICE_FRAMES = 1024, 16  # samples of a frame whose voicing is judged, and how many are
LOUD = 0.01  # energy of these frames, in that of the loudest: 20 dB
PERIODIC = 0.5  # a frame is voiced above this autocorrelation
PITCHES = (75, 500)  # Hz


class Range(Section):
    """Limits of a trait of the training clips."""

    low: float = Field(description="first percentile")
    high: float = Field(description="99th percentile")


class Ranges(Section):
    """Limits of all traits of the training clips."""

    seconds: Range
    level_db: Range
    bandwidth_hz: Range
    contrast_db: Range
    voiced: Range


def traits(features: Mapping[str, np.ndarray], audio: np.ndarray) -> dict[str, float]:
    """Return the traits of a clip.

    Parameters
    ----------
    features : mapping
        librosa's ``rms``, shape (n_frames, 1), full scale 1, and ``mel``, shape (n_frames, 128), power.
    audio : np.ndarray
        The clip's samples, int16, shape (n,).

    Returns
    -------
    dict of str to float
        ``seconds`` (hops); ``level_db``, RMS of all frames, 0 is full scale; ``peak_db``, RMS of the loudest frame; ``bandwidth_hz``, the
        highest mel band within 50 dB of the strongest; ``contrast_db``, 90th less 10th percentile of the frames' levels; ``voiced``, see
        :func:`voiced`.
    """
    rms = features["rms"][:, 0].astype(np.float64)  # (n_frames,)
    levels = decibels(rms)
    power = features["mel"].astype(np.float64).mean(0)  # (128,)
    strong = np.flatnonzero(power > power.max() * 10 ** (-BAND_DB / 10))
    low, high = np.percentile(levels, (NOISE_PERCENTILE, LOUD_PERCENTILE))
    return {
        "seconds": len(rms) * HOP_LENGTH / SR,
        "level_db": float(decibels(np.sqrt(np.mean(rms**2)))),
        "peak_db": float(levels.max()),
        "bandwidth_hz": float(band_centres()[strong[-1]]) if len(strong) else 0.0,
        "contrast_db": float(high - low),
        "voiced": voiced(audio),
    }


def voiced(audio: np.ndarray) -> float:
    """Return the fraction of loud frames that are voiced: of 16 frames within 20 dB of the loudest, evenly spaced in time.

    A frame is voiced if its autocorrelation, divided by that of the window, exceeds .5 at a lag of 2 to 13.3 ms (75 to 500 Hz). Source:
    Boersma 1993, "Accurate short-term analysis of the fundamental frequency", Proceedings of the Institute of Phonetic Sciences 17.

    Parameters
    ----------
    audio : np.ndarray
        int16, shape (n,), 22,050 Hz.
    """
    padded = np.pad(audio, (0, VOICE_FRAME - len(audio))) if len(audio) < VOICE_FRAME else audio
    half = VOICE_FRAME // 2
    halves = padded[: len(padded) // half * half].reshape(-1, half).astype(np.float32)
    energy = np.square(halves).sum(1, dtype=np.float64)
    energy = energy[:-1] + energy[1:]  # of frames, half a frame apart
    if not energy.any():
        return 0.0
    loud = np.flatnonzero(energy >= LOUD * energy.max())
    chosen = loud[np.linspace(0, len(loud) - 1, min(VOICE_FRAMES, len(loud))).round().astype(int)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, VOICE_FRAME)[half * chosen]
    frames = frames - frames.mean(1, keepdims=True)
    window, of_window = _voice_window()
    found = _autocorrelation(frames * window)  # (frames, lags)
    lags = slice(SR // PITCHES[1], SR // PITCHES[0] + 1)
    periodic = found[:, lags] / (np.maximum(found[:, :1], 1e-9) * of_window[lags])
    return float((periodic.max(1) > PERIODIC).mean())


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    """Return the autocorrelation of each frame at lags of 0 to half a frame, shape (n, 512)."""
    spectrum = np.fft.rfft(frames, 2 * VOICE_FRAME)
    return np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[..., : VOICE_FRAME // 2]


@cache
def _voice_window() -> tuple[np.ndarray, np.ndarray]:
    """Return the window of a frame, and its autocorrelation, 1 at lag 0."""
    window = np.hanning(VOICE_FRAME + 1)[:-1]
    found = _autocorrelation(window)
    return window, found / found[0]


def decibels(rms: np.ndarray) -> np.ndarray:
    """Return levels in dB, not below -90."""
    return 20 * np.log10(np.maximum(rms, 10 ** (SILENCE_DB / 20)))


def ranges(of_clips: Iterable[Mapping[str, float]]) -> Ranges:
    """Return the first and the 99th percentile of each trait over clips."""
    columns = np.array([[one[name] for name in NAMES] for one in of_clips])  # (n, 4)
    low, high = np.percentile(columns, (1, 99), axis=0)
    return Ranges(**{name: Range(low=round(float(a), 3), high=round(float(b), 3)) for name, a, b in zip(NAMES, low, high, strict=True)})


def warnings(found: Mapping[str, float], known: Ranges) -> list[str]:
    """Return a line for each trait that is outside the range of the training clips, or only that a recording is almost silent.

    Parameters
    ----------
    found : mapping
        As :func:`traits` returns it.
    known : Ranges
        Ranges of the training clips.
    """
    if found["peak_db"] < QUIET_DB:
        return [f"almost silent: the loudest frame is at {found['peak_db']:.0f} dB of full scale"]
    lines = []
    for name, (below, above, unit) in WORDS.items():
        value, limits = found[name], getattr(known, name)
        if below and value < limits.low:
            lines.append(f"{below}: {unit.format(value)}; 99 % of the training clips have {unit.format(limits.low)} or more")
        if above and value > limits.high:
            lines.append(f"{above}: {unit.format(value)}; 99 % of the training clips have {unit.format(limits.high)} or less")
    return lines
