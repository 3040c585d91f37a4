"""Traits of a recording that tell whether it is like the training clips: level, length, bandwidth, noise, speech.

They are computed from librosa's RMS and mel power of every frame, which the classifiers read anyway, so that they cost next to nothing.
"""

from collections.abc import Iterable, Mapping

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
    "contrast_db": ("noisy (little contrast of loud and quiet frames)", "", "{:.1f} dB"),
}
NAMES = tuple(WORDS)
FEATURES = ("rms", "mel")  # that the traits are computed from


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


def traits(features: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the traits of a clip.

    Parameters
    ----------
    features : mapping
        librosa's ``rms``, shape (n_frames, 1), full scale 1, and ``mel``, shape (n_frames, 128), power.

    Returns
    -------
    dict of str to float
        ``seconds`` (hops); ``level_db``, RMS of all frames, 0 is full scale; ``peak_db``, RMS of the loudest frame; ``bandwidth_hz``, the
        highest mel band within 50 dB of the strongest; ``contrast_db``, 90th less 10th percentile of the frames' levels.
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
    }


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
