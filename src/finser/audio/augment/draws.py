"""Draws for the variants that need no other recording: functions of their section of params.yaml and a seed.

Every result holds the arguments of the variant's function in :mod:`finser.audio.augment.changes`.
"""

from finser.config.sections.augment import BandLimit, Gain, Noise, NoiseSnr, Reverberation, SpeedPitch
from finser.seeds import generator


def between(limits: tuple[float, float], seed: int, name: str) -> float:
    """One number, uniform between the two `limits`, under its own `name`."""
    return float(generator(seed, name).uniform(*limits))


def noise(section: Noise, seed: int) -> dict:
    """Noise level as published: sd = amplitude x U(0, 1) of the clip's peak; the noise itself is drawn from `seed`, too."""
    return {"level": section.amplitude * generator(seed, "level").uniform(), "seed": seed}


def noise_snr(section: NoiseSnr, seed: int) -> dict:
    """Signal-to-noise ratio in dB; the noise itself is drawn from `seed`, too."""
    return {"snr_db": between(section.snr_db, seed, "snr_db"), "seed": seed}


def speed_pitch(section: SpeedPitch, seed: int) -> dict:  # noqa: ARG001  (every draw has the same signature)
    """Speed and pitch as published: nothing is random, the values are those of params.yaml."""
    return {"rate": section.rate, "semitones": section.semitones, "method": section.method}


def reverberation(section: Reverberation, seed: int) -> dict:
    """Reverberation time in seconds and direct-to-reverberant ratio in dB; the tail itself is drawn from `seed`, too."""
    return {"rt60": between(section.rt60, seed, "rt60"), "drr_db": between(section.drr_db, seed, "drr_db"), "seed": seed}


def gain(section: Gain, seed: int) -> dict:
    """Gain in dB."""
    return {"db": between(section.db, seed, "db")}


def band_limit(section: BandLimit, seed: int) -> dict:  # noqa: ARG001
    """Nothing is random: the rate of params.yaml."""
    return {"sr": section.sr}
