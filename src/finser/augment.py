"""Variants of every clip: first the draw, a function of (seed, clip_id, variant), then its application.

The draw is recorded in the row, and the row can be made again from it alone: ``apply(original, variant, draw)``.
"""

from collections.abc import Iterator
from dataclasses import replace

import librosa
import numpy as np
import soxr

from finser import layout
from finser.audio import to_int16
from finser.params import Augment, Params
from finser.seeds import generator, seed_for
from finser.shards import SR, AudioRow, read_audio, write_audio
from finser.workers import map_in_order

N_FFT, HOP_LENGTH = 2048, 512  # of the phase vocoder, librosa.effects.time_stretch's own


def draw_noise(settings: Augment, seed: int) -> dict:
    """Noise level as published: sd = amplitude x U(0, 1) of the clip's peak; the noise itself is drawn from `seed`, too."""
    return {"level": settings.noise.amplitude * generator(seed, "level").uniform(), "seed": seed}


def draw_speed_pitch(settings: Augment, seed: int) -> dict:  # noqa: ARG001  (every draw has the same signature)
    """Speed and pitch as published: nothing is random, the values are those of params.yaml."""
    return {"rate": settings.speed_pitch.rate, "semitones": settings.speed_pitch.semitones}


def add_noise(y: np.ndarray, *, level: float, seed: int) -> np.ndarray:
    """Add white Gaussian noise.

    Parameters
    ----------
    y : np.ndarray
        float64, shape (n,).
    level : float
        Standard deviation of the noise, as a share of the clip's peak.
    seed : int
        Of the noise.
    """
    noise = generator(seed, "noise").standard_normal(len(y))
    return y + level * np.max(np.abs(y), initial=0.0) * noise


def change_speed_and_pitch(y: np.ndarray, *, rate: float, semitones: float) -> np.ndarray:
    """Speed `y` up by `rate` and shift it by `semitones`, by one vocoder pass and one resampling.

    Stretching by ``rate`` and then shifting the pitch by a factor p would be two passes of the vocoder (librosa.effects.time_stretch,
    then pitch_shift), each of which smears phases and loses level. One pass at ``rate / p``, read p times as fast, is the same map.

    Returns
    -------
    np.ndarray
        float64, shape (round(n / rate),).
    """
    factor = 2.0 ** (semitones / 12)
    stretched = _stretch(y, rate / factor)
    faster = soxr.resample(stretched, SR * factor, SR, quality="HQ")
    return librosa.util.fix_length(faster, size=max(1, round(len(y) / rate)))


def _stretch(y: np.ndarray, rate: float) -> np.ndarray:
    """librosa.effects.time_stretch at n_fft 2,048, hop 512."""
    spectrum = librosa.stft(y, n_fft=N_FFT, hop_length=HOP_LENGTH)  # (1025, frames)
    slower = librosa.phase_vocoder(spectrum, rate=rate, hop_length=HOP_LENGTH, n_fft=N_FFT)  # (1025, frames / rate)
    return librosa.istft(slower, n_fft=N_FFT, hop_length=HOP_LENGTH, length=max(1, round(len(y) / rate)))


VARIANTS = {"noise": (draw_noise, add_noise), "speed_pitch": (draw_speed_pitch, change_speed_and_pitch)}


def apply(original: np.ndarray, variant: str, draw: dict) -> np.ndarray:
    """Make a variant from the original and its recorded draw; both int16, shapes (n,) and (m,)."""
    _, function = VARIANTS[variant]
    return to_int16(function(original / 32_768.0, **draw))[0]


def variants(original: AudioRow, settings: Augment, seed: int) -> list[AudioRow]:
    """The original and its variants, in the order original, noise, speed_pitch."""
    rows = [original]
    for name, (draw, _) in VARIANTS.items():
        own = seed_for(seed, original.clip_id, name)
        drawn = draw(settings, own)
        rows.append(replace(original, variant=name, seed=own, draw=drawn, audio=apply(original.audio, name, drawn)))
    return rows


def augment(params: Params, corpus: str) -> None:
    """Step: three rows per clip of data/audio/CORPUS/ into data/shards/CORPUS/."""
    jobs = ((row, params.augment, params.seed) for row in read_audio(layout.audio(corpus)))
    write_audio(layout.shards(corpus), _flatten(map_in_order(_variants, jobs)))


def _variants(job: tuple[AudioRow, Augment, int]) -> list[AudioRow]:
    return variants(*job)


def _flatten(groups: Iterator[list[AudioRow]]) -> Iterator[AudioRow]:
    for group in groups:
        yield from group
