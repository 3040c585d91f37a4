"""Test clips in noise, for a curve of how fast a classifier fails: white noise, or babble of the training part's voices."""

from collections.abc import Iterator

import numpy as np

from finser import seeds
from finser.augment.changes import mix, white
from finser.classifiers.inputs import Examples, Row, Source
from finser.frames import to_float, to_int16
from finser.labels import features

TALKERS = 4  # clips that babble together


def babble(voices: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """`TALKERS` of the int16 clips at equal power, each from a random sample that is not 0 on and round its end, float, (size,)."""
    total = np.zeros(size)
    for index in rng.choice(len(voices), min(TALKERS, len(voices)), replace=False):
        voice = to_float(voices[index])
        at = int(rng.choice(np.flatnonzero(voice)))  # digital silence cannot be scaled to any power
        total += np.take(voice, np.arange(at, at + size), mode="wrap") / np.sqrt(np.mean(voice.astype(float) ** 2))
    return total


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
