"""Test clips in noise, for a curve of how fast a classifier fails: white noise, or babble of the training part's voices."""

from collections.abc import Iterator

import numpy as np

from finser import seeds
from finser.audio.augment.changes import mix, power, white
from finser.audio.augment.excerpts import STEP, first_loud, refuse_silence
from finser.audio.frames import to_float, to_int16
from finser.features.inputs import Examples, Row, Source
from finser.features.labels import features

TALKERS = 4  # clips that babble together


def babble(voices: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """`TALKERS` of the int16 clips at equal power, each from a random sample on and round its end, float, (size,).

    As in augmentation, an excerpt is at most 20 dB below its clip (:mod:`finser.audio.augment.excerpts`); clips that are quieter than one
    step of 16 bit do not talk.

    Raises
    ------
    FinserError
        All clips are quieter than that.
    """
    heard = [to_float(voice) for voice in voices]
    heard = [voice for voice in heard if power(voice) >= STEP**2]
    if not heard:
        raise refuse_silence("the training clips", "take babble out of evaluate_classifier.noise.kinds")
    total = np.zeros(size)
    for index in rng.choice(len(heard), min(TALKERS, len(heard)), replace=False):
        voice = heard[index]
        begin = int(rng.choice(np.flatnonzero(voice)))
        at = first_loud(lambda start, voice=voice: _around(voice, start, size), len(voice), size, begin, power(voice))
        total += _around(voice, at, size) / np.sqrt(power(voice))
    return total


def _around(voice: np.ndarray, start: int, size: int) -> np.ndarray:
    return np.take(voice, np.arange(start, start + size), mode="wrap")


def in_noise(clip: np.ndarray, kind: str, snr_db: float, voices: list[np.ndarray], names: tuple) -> np.ndarray:
    """An int16 clip with noise of `snr_db` below the power of the whole clip; what would exceed full scale is scaled down as a whole."""
    rng = seeds.generator(*names)
    noise = white(len(clip), int(rng.integers(2**31))) if kind == "white" else babble(voices, len(clip), rng)
    return to_int16(mix(to_float(clip), noise, snr_db))[0]


def inputs_in_noise(
    source: Source, audio: Examples, voices: list[np.ndarray], kind: str, snr_db: float, seed: int, definition: str
) -> Iterator[object]:
    """What `source` makes of every clip of `audio` (int16 samples) in noise.

    Its features are librosa's of the noisy clip, by the `definition` of the labels that were learned from.
    """
    for clip_id, clip in zip(audio.clip_ids, audio.inputs, strict=True):
        noisy = in_noise(clip, kind, snr_db, voices, (seed, "noise curve", kind, snr_db, clip_id))
        found = features(noisy, definition) if source.features else {}
        yield source.convert(Row(clip_id, "original", noisy if source.audio else None, {name: found[name] for name in source.features}))
