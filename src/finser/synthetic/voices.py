"""Synthetic speakers: voices drawn from a seed, and described in espeak's format."""

from dataclasses import dataclass

import numpy as np

from finser import seeds
from finser.synthetic.acting import Manner

_FORMANTS = 9  # of espeak's synthesizer
_LOWEST_F0 = {"male": (88, 135), "female": (168, 235)}  # Hz
_FORMANT_SCALE = {"male": (0.90, 1.04), "female": (1.06, 1.20)}


@dataclass(frozen=True)
class Voice:
    """A speaker's neutral voice.

    Parameters
    ----------
    f0 : float
        Lowest fundamental frequency, Hz.
    span : float
        Highest f0 over lowest f0, minus 1.
    formants : tuple of (float, float, float)
        Factors on frequency, amplitude and width of espeak's nine formants.
    rate : float
        Words per minute.
    roughness : int
        0 .. 3, of espeak's 0 .. 7.
    tilt : float
        dB per octave.
    gain : float
        Level of the speech, dB of full scale (RMS).
    breath : float
        dB, added to the manner's breath.
    floor : float
        Level of the background noise, dB of full scale.
    """

    f0: float
    span: float
    formants: tuple[tuple[float, float, float], ...]
    rate: float
    roughness: int
    tilt: float
    gain: float
    breath: float
    floor: float


def draw_voice(seed: int, corpus: str, speaker: str, sex: str) -> Voice:
    """Draw the voice of one speaker of one corpus; `sex` is ``male`` or ``female``."""
    random = seeds.generator(seed, corpus, speaker, "voice")
    scale = random.uniform(*_FORMANT_SCALE[sex])
    frequency = scale * np.exp(random.normal(0, 0.03, _FORMANTS))
    amplitude = np.exp(random.normal(0, 0.12, _FORMANTS))
    width = np.exp(random.normal(0, 0.15, _FORMANTS))
    return Voice(
        f0=random.uniform(*_LOWEST_F0[sex]),
        span=random.uniform(0.22, 0.42),
        formants=tuple(zip(frequency.tolist(), amplitude.tolist(), width.tolist(), strict=True)),
        rate=random.uniform(150, 190),
        roughness=int(random.integers(0, 4)),
        tilt=random.normal(0, 0.45),
        gain=random.normal(-22, 1.4),
        breath=random.normal(0, 3),
        floor=random.uniform(-66, -54),
    )


def variant(voice: Voice, manner: Manner) -> str:
    """Return the voice in one manner, as the text of an espeak voice file."""
    low = voice.f0 * manner.pitch
    high = low * (1 + voice.span * manner.span)
    lines = ["language variant", "name u", f"pitch {low:.0f} {high:.0f}", f"roughness {voice.roughness}"]
    for number, factors in enumerate(voice.formants):
        lines.append(f"formant {number} " + " ".join(f"{100 * factor:.0f}" for factor in factors))
    return "\n".join(lines) + "\n"
