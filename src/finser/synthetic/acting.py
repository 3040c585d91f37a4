"""Effect of an emotion on a voice: a table of directions, and random variation of every clip.

Reviews of vocal expression agree on the directions (Banse & Scherer 1996; Scherer 2003; Juslin & Laukka 2003): anger is fast, loud, bright
and wide; sadness is slow, quiet, dark and narrow; and so on. The numbers are this project's own, set so that a simple classifier has a
score well above chance and below 1 (bench/calibrate_synthetic.py).
"""

from dataclasses import astuple, dataclass

import numpy as np

from finser import seeds


@dataclass(frozen=True)
class Manner:
    """A way of speaking, relative to the speaker's neutral one.

    Parameters
    ----------
    pitch, span, rate : float
        Factors on the speaker's lowest f0, on the width of the f0 range, and on words per minute.
    gain : float
        dB.
    tilt : float
        Slope of the spectrum about 1 kHz, dB per octave; positive is brighter.
    glide : float
        f0 at the end over f0 at the beginning, semitones.
    tremor : float
        Depth of a slow vibrato, semitones.
    breath : float
        Level of breath noise relative to the voice, dB.
    gap : float
        Extra pause between words, 10 ms.
    """

    pitch: float
    span: float
    rate: float
    gain: float
    tilt: float
    glide: float
    tremor: float
    breath: float
    gap: float


# fmt: off
MANNERS = {  #        pitch  span  rate  gain  tilt glide tremor breath gap
    "neutral":  Manner(1.00, 1.00, 1.00,  0.0,  0.0, -0.5,  .00, -38, 0),
    "calm":     Manner(0.95, 0.80, 0.88, -3.0, -1.0, -1.0,  .00, -32, 1),
    "happy":    Manner(1.28, 1.60, 1.08,  3.0,  0.8,  1.0,  .05, -36, 0),
    "sad":      Manner(0.92, 0.60, 0.80, -6.0, -1.8, -2.0,  .15, -28, 3),
    "angry":    Manner(1.22, 1.50, 1.12,  6.0,  1.8,  0.0,  .10, -40, 0),
    "fear":     Manner(1.35, 0.90, 1.15, -1.0, -0.4,  1.0,  .45, -28, 1),
    "disgust":  Manner(0.96, 1.10, 0.84, -0.5,  0.6, -1.5,  .08, -34, 2),
    "surprise": Manner(1.45, 1.90, 1.00,  2.0,  0.4,  2.5,  .05, -34, 0),
}
# standard deviations: of the logarithm for pitch, span, rate and tremor; in the unit itself for the others
SPREAD_OF_SPEAKERS = Manner(.045, .10, .028, 1.0, .30, .40, .14, 1.4, .4)  # once per speaker and emotion
SPREAD_OF_TAKES    = Manner(.022, .06, .018, 0.6, .15, .28, .10, 0.8, .3)  # per clip
# fmt: on
_TREMOR = 6  # the field that draws multiply, so that 0 stays 0
_MARKS = {"en": "..!?", "zh": "。。！？"}
_MARK_OF = {"happy": 2, "angry": 2, "surprise": 3}  # every other emotion ends in a full stop


def final_mark(emotion: str, language: str) -> str:
    """Return the punctuation that ends a sentence; it determines espeak's intonation."""
    return _MARKS[language][_MARK_OF.get(emotion, 0)]


def draw_manner(emotion: str, strength: float, of_speaker: tuple, of_take: tuple) -> Manner:
    """Draw the manner of one clip.

    Parameters
    ----------
    emotion : str
        One of the eight.
    strength : float
        Scales the distance from neutral; 1 is the table's row.
    of_speaker, of_take : tuple
        Seed names of the two draws.
    """
    neutral, full = _vector(MANNERS["neutral"]), _vector(MANNERS[emotion])
    drawn = neutral + strength * (full - neutral)
    change = np.zeros(len(drawn))
    for names, spread in ((of_speaker, SPREAD_OF_SPEAKERS), (of_take, SPREAD_OF_TAKES)):
        change += seeds.generator(*names).standard_normal(len(drawn)) * astuple(spread)
    tremor = drawn[_TREMOR] * np.exp(change[_TREMOR])
    drawn += change
    drawn[_TREMOR] = tremor
    return Manner(*np.exp(drawn[:3]).tolist(), *drawn[3:].tolist())


def _vector(manner: Manner) -> np.ndarray:
    """Return all fields, the three factors as logarithms."""
    values = np.array(astuple(manner), float)
    return np.append(np.log(values[:3]), values[3:])
