"""Random parameters of the variants that need no other recording: functions of a section of params.yaml and a seed.

Every result holds the arguments of the variant's function in :mod:`finser.audio.augment.changes`.
"""

from finser.config.sections.augment import BandLimit, Gain, Noise, NoiseSnr, Reverberation, SpeedPitch
from finser.seeds import generator


def between(limits: tuple[float, float], seed: int, name: str) -> float:
    """Draw a number uniformly between the two `limits`; `name` separates it from other draws of `seed`."""
    return float(generator(seed, name).uniform(*limits))


def noise(section: Noise, seed: int) -> dict:
    """Draw the level of noise as published, sd = amplitude x U(0, 1) of the clip's peak; `seed` also determines the noise."""
    return {"level": section.amplitude * generator(seed, "level").uniform(), "seed": seed}


def noise_snr(section: NoiseSnr, seed: int) -> dict:
    """Draw a signal-to-noise ratio in dB; `seed` also determines the noise."""
    return {"snr_db": between(section.snr_db, seed, "snr_db"), "seed": seed}


def speed_pitch(section: SpeedPitch, seed: int) -> dict:  # noqa: ARG001  (every draw has the same signature)
    """Return speed and pitch of params.yaml: as published, nothing is random."""
    return {"rate": section.rate, "semitones": section.semitones, "method": section.method}


def reverberation(section: Reverberation, seed: int) -> dict:
    """Draw reverberation time in seconds and direct-to-reverberant ratio in dB; `seed` also determines the tail."""
    return {"rt60": between(section.rt60, seed, "rt60"), "drr_db": between(section.drr_db, seed, "drr_db"), "seed": seed}


def gain(section: Gain, seed: int) -> dict:
    """Draw a gain in dB."""
    return {"db": between(section.db, seed, "db")}


def band_limit(section: BandLimit, seed: int) -> dict:  # noqa: ARG001
    """Return the rate of params.yaml; nothing is random."""
    return {"sr": section.sr}
