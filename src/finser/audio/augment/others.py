"""Variants that mix in other recordings: other speakers of the same corpus (babble), or files of a folder of noise (noise_file)."""

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
    """Draw the other speakers (one clip each), the first sample of each excerpt, and the signal-to-noise ratio.

    Speakers are drawn without replacement. If a corpus has fewer other speakers than talkers, each gives several clips.

    Raises
    ------
    FinserError
        The corpus has no other speaker, or a drawn speaker has no clip that is loud enough.
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
    """Return the first of a speaker's `clips` with a loud enough excerpt of `size` samples, searched from `begin`, and its offset."""
    for name in clips:
        heard = to_float(sounds.clips.audio(name))
        offset = first_loud(lambda at, heard=heard: _around(heard, at, size), len(heard), size, begin % len(heard), power(heard))
        if offset is not None:
            return name, offset
    raise refuse_silence(clips[0], "no clip of this speaker is louder: take babble out of augment.variants")


def add_babble(y: np.ndarray, sounds: Sounds, *, clip_ids: Sequence[str], offsets: Sequence[int], snr_db: float) -> np.ndarray:
    """Add excerpts of other clips at a signal-to-noise ratio in dB.

    Each excerpt is scaled as its whole clip to power 1, and repeated up to the length of `y`.

    Parameters
    ----------
    y : np.ndarray
        float32, shape (n,).
    sounds : Sounds
        Reader of the clips.
    clip_ids : sequence of str
        Clips of the other speakers.
    offsets : sequence of int
        First sample of each excerpt.
    snr_db : float
        Power of the clip over that of the sum of the excerpts.
    """
    babble = np.zeros(len(y), np.float32)
    for clip_id, offset in zip(clip_ids, offsets, strict=True):
        heard = to_float(sounds.clips.audio(clip_id))
        babble += _around(heard, offset, len(y)) / np.float32(np.sqrt(power(heard)))
    return mix(y, babble, snr_db)


def draw_noise_file(section: NoiseFile, seed: int, original: AudioRow, sounds: Sounds) -> dict:
    """Draw a recording, the first sample of the excerpt, and the signal-to-noise ratio; the checksum identifies the recording.

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
    """Add a recording, repeated up to the length of `y`, at a signal-to-noise ratio in dB.

    Parameters
    ----------
    y : np.ndarray
        float32, shape (n,).
    sounds : Sounds
        Reader of the files.
    file, sha256 : str
        Name relative to the folder, and checksum.
    offset : int
        First sample of the excerpt, at the file's own rate.
    snr_db : float
        Power of the clip over that of the noise.

    Raises
    ------
    FinserError
        The checksum of the file differs.
    """
    if sounds.sha256(file) != sha256:
        raise FinserError("not the recording that was drawn", where=sounds.folder / file, expected=f"sha256 {sha256}")
    return mix(y, _noise(sounds, file, offset, len(y)), snr_db)


def _noise(sounds: Sounds, name: str, offset: int, size: int) -> np.ndarray:
    """Return `size` samples at 22,050 Hz of a recording of noise, from sample `offset` at its own rate."""
    _, sr = sounds.shape(name)
    return resampled(sounds.excerpt(name, offset, _own_size(size, sr)), sr, size)


def _around(y: np.ndarray, offset: int, size: int) -> np.ndarray:
    """Return `size` samples from `offset`, continued at the beginning after the end."""
    return np.take(y, np.arange(offset, offset + size), mode="wrap")


def _own_size(size: int, sr: int) -> int:
    """Return the number of samples at `sr` Hz that give `size` samples at 22,050 Hz."""
    return math.ceil(size * sr / SR)
