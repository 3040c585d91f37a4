"""Variants that mix in other recordings: other speakers of the same corpus (babble), or a folder of noise (noise_file)."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from finser.augment.changes import mix, power, resampled
from finser.augment.draws import between
from finser.augment.sounds import Sounds
from finser.errors import FinserError
from finser.frames import to_float
from finser.params import Babble, NoiseFile
from finser.seeds import generator
from finser.shards import SR, AudioRow


def draw_babble(section: Babble, seed: int, original: AudioRow, sounds: Sounds) -> dict:
    """Who else speaks (one clip each), from which of their samples on, and how loud all of them are.

    Speakers are drawn without replacement; where a corpus has fewer others than talkers, each gives more than one clip.

    Raises
    ------
    FinserError
        The corpus has no other speaker.
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
        names.append(clips[random.integers(len(clips))])
        heard = sounds.clips.audio(names[-1])
        begin = int(random.integers(len(heard)))
        offsets.append(where_sound_is(partial(_around, heard), len(heard), len(original.audio), begin, where=names[-1]))
    return {"clip_ids": names, "offsets": offsets, "snr_db": between(section.snr_db, seed, "snr_db")}


def add_babble(y: np.ndarray, sounds: Sounds, *, clip_ids: Sequence[str], offsets: Sequence[int], snr_db: float) -> np.ndarray:
    """Add other clips, each scaled to power 1 and repeated as long as `y` lasts, at a signal-to-noise ratio in dB.

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
    """Which recording, from which of its samples on, and how loud; its checksum says which recording was meant."""
    random = generator(seed, "file")
    name = sounds.names[random.integers(len(sounds.names))]
    length, sr = sounds.shape(name)
    size, begin = _own_size(len(original.audio), sr), int(random.integers(length))
    offset = where_sound_is(partial(sounds.excerpt, name), length, size, begin, where=sounds.folder / name)
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
    _, sr = sounds.shape(file)
    return mix(y, resampled(sounds.excerpt(file, offset, _own_size(len(y), sr)), sr, len(y)), snr_db)


def where_sound_is(read: Callable[[int, int], np.ndarray], length: int, size: int, offset: int, *, where: object) -> int:
    """The first of `offset`, ``offset + size``, ... (around the end) from which an excerpt is not digital silence.

    Parameters
    ----------
    read : callable
        Excerpt of the recording: the sample it begins with and its size -> samples.
    length, size : int
        Of the recording and of the excerpt, in samples.
    offset : int
        Looked at first.
    where : object
        Name of the recording, for the error.

    Raises
    ------
    FinserError
        All of the recording is digital silence.
    """
    for begin in range(offset, offset + length, size):
        if np.any(read(begin % length, size)):
            return begin % length
    raise FinserError("nothing but digital silence, which no noise can be made of", where=where)


def _around(y: np.ndarray, offset: int, size: int) -> np.ndarray:
    """`size` samples from `offset`, and from the beginning again after the end."""
    return np.take(y, np.arange(offset, offset + size), mode="wrap")


def _own_size(size: int, sr: int) -> int:
    """Samples at `sr` Hz that make `size` at 22,050 Hz."""
    return math.ceil(size * sr / SR)
