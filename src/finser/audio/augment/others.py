"""Variants that mix in other recordings: other speakers of the same corpus (babble), or a folder of noise (noise_file)."""

import math
from collections.abc import Sequence

import numpy as np

from finser.audio.augment.changes import mix, power, resampled
from finser.audio.augment.draws import between
from finser.audio.augment.excerpts import first_loud, refuse_silence
from finser.audio.augment.sounds import Sounds
from finser.audio.frames import SR, to_float
from finser.audio.shards import AudioRow
from finser.config.sections.augment import Babble, NoiseFile
from finser.errors import FinserError
from finser.seeds import generator


def draw_babble(section: Babble, seed: int, original: AudioRow, sounds: Sounds) -> dict:
    """Who else speaks (one clip each), from which of their samples on, and how loud all of them are.

    Speakers are drawn without replacement; where a corpus has fewer others than talkers, each gives more than one clip.

    Raises
    ------
    FinserError
        The corpus has no other speaker, or one of them has no clip that is loud enough.
    """
    by_speaker = sounds.clips.by_speaker
    speakers = sorted(set(by_speaker) - {original.speaker})
    if not speakers:
        raise FinserError("babble needs another speaker", where=original.corpus, do="take it out of augment.variants")
    random = generator(seed, "talkers")
    order = random.permutation(len(speakers))
    names, offsets = [], []
    for talker in range(section.talkers):
        clips = by_speaker[speakers[order[talker % len(order)]]]
        first = int(random.integers(len(clips)))
        begin = random.integers(len(sounds.clips.audio(clips[first])))
        name, offset = _talker([*clips[first:], *clips[:first]], int(begin), len(original.audio), sounds)
        names.append(name)
        offsets.append(offset)
    return {"clip_ids": names, "offsets": offsets, "snr_db": between(section.snr_db, seed, "snr_db")}


def _talker(clips: Sequence[str], begin: int, size: int, sounds: Sounds) -> tuple[str, int]:
    """The first of a speaker's `clips` that has a loud enough excerpt of `size` samples, looked for from `begin` on, and its offset."""
    for name in clips:
        heard = to_float(sounds.clips.audio(name))
        offset = first_loud(lambda at, heard=heard: _around(heard, at, size), len(heard), size, begin % len(heard), power(heard))
        if offset is not None:
            return name, offset
    raise refuse_silence(clips[0], "no clip of this speaker is louder: take babble out of augment.variants")


def add_babble(y: np.ndarray, sounds: Sounds, *, clip_ids: Sequence[str], offsets: Sequence[int], snr_db: float) -> np.ndarray:
    """Add excerpts of other clips, scaled to power 1 as whole clips, each repeated as long as `y` lasts, at a signal-to-noise ratio in dB.

    Parameters
    ----------
    y : np.ndarray
        float32, shape (n,).
    sounds : Sounds
        Reader of the clips.
    clip_ids : sequence of str
        Who speaks.
    offsets : sequence of int
        The sample that each begins with.
    snr_db : float
        Power of the clip over that of their sum.
    """
    babble = np.zeros(len(y), np.float32)
    for clip_id, offset in zip(clip_ids, offsets, strict=True):
        heard = to_float(sounds.clips.audio(clip_id))
        babble += _around(heard, offset, len(y)) / np.float32(np.sqrt(power(heard)))
    return mix(y, babble, snr_db)


def draw_noise_file(section: NoiseFile, seed: int, original: AudioRow, sounds: Sounds) -> dict:
    """Which recording, from which of its samples on, and how loud; its checksum says which recording was meant.

    Raises
    ------
    FinserError
        The recording is too quiet at 22,050 Hz.
    """
    random = generator(seed, "file")
    name = sounds.names[random.integers(len(sounds.names))]
    length, sr = sounds.shape(name)
    size, begin = len(original.audio), int(random.integers(length))
    offset = first_loud(lambda at: _noise(sounds, name, at, size), length, _own_size(size, sr), begin, sounds.power(name))
    if offset is None:
        raise refuse_silence(sounds.folder / name, "take it out of the folder of noise")
    return {"file": name, "sha256": sounds.sha256(name), "offset": offset, "snr_db": between(section.snr_db, seed, "snr_db")}


def add_noise_file(y: np.ndarray, sounds: Sounds, *, file: str, sha256: str, offset: int, snr_db: float) -> np.ndarray:
    """Add a recording, repeated as long as `y` lasts, at a signal-to-noise ratio in dB.

    Parameters
    ----------
    y : np.ndarray
        float32, shape (n,).
    sounds : Sounds
        Reader of the files.
    file, sha256 : str
        Name relative to the folder, and checksum.
    offset : int
        The sample that it begins with, at its own rate.
    snr_db : float
        Power of the clip over that of the noise.

    Raises
    ------
    FinserError
        The file is another one than was drawn.
    """
    if sounds.sha256(file) != sha256:
        raise FinserError("not the recording that was drawn", where=sounds.folder / file, expected=f"sha256 {sha256}")
    return mix(y, _noise(sounds, file, offset, len(y)), snr_db)


def _noise(sounds: Sounds, name: str, offset: int, size: int) -> np.ndarray:
    """`size` samples at 22,050 Hz of a recording of noise from its own sample `offset`."""
    _, sr = sounds.shape(name)
    return resampled(sounds.excerpt(name, offset, _own_size(size, sr)), sr, size)


def _around(y: np.ndarray, offset: int, size: int) -> np.ndarray:
    """`size` samples from `offset`, and from the beginning again after the end."""
    return np.take(y, np.arange(offset, offset + size), mode="wrap")


def _own_size(size: int, sr: int) -> int:
    """Samples at `sr` Hz that make `size` at 22,050 Hz."""
    return math.ceil(size * sr / SR)
