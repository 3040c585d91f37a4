"""Readers of other recordings: clips of the same corpus, and files of a folder of noise outside the project."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile
import soxr

from finser.audio.augment.changes import QUALITY
from finser.audio.frames import SR
from finser.audio.shards import ClipReader
from finser.config.sections.augment import Augment
from finser.corpora.folders import audio_files, digest_of_files, size_of_audio
from finser.errors import FinserError
from finser.files import checksum, why

BLOCK = 2**16  # frames per read
ESC_50 = Path("meta/esc50.csv")  # the list of ESC-50's recordings, which lie in audio/


@dataclass(frozen=True)
class Sounds:
    """The recordings that babble and noise_file read.

    Files are opened when they are first needed. Memory: a :class:`~finser.audio.shards.ClipReader` (which states its bound), the names of
    the files, and one excerpt at a time, never a whole file.

    Attributes
    ----------
    corpus : Path
        Folder of the corpus's own clips, data/audio/CORPUS.
    folder : Path or None
        Folder of noise.
    names : tuple of str
        Recordings in the folder, relative to it, sorted.
    """

    corpus: Path
    folder: Path | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Augment, corpus: Path, noise: Path | None = None) -> "Sounds":
        """Return the recordings for the variants of `settings`: clips of `corpus`, and files in `noise` for noise_file."""
        return cls(corpus, noise, checked_names(noise)) if noise and "noise_file" in settings.variants else cls(corpus)

    def found(self) -> dict[str, int | str]:
        """Return number and total size in bytes of the recordings of noise, and a digest of their names and sizes."""
        sizes = [size_of_audio(self.folder / name) for name in self.names]
        return {"files": len(sizes), "bytes": sum(sizes), "digest": digest_of_files(self.folder, map(PurePosixPath, self.names))}

    @property
    def clips(self) -> ClipReader:
        """Return the reader of the corpus's clips; a process lists them once."""
        return _reader(self.corpus.absolute(), self.corpus.stat().st_mtime_ns if self.corpus.exists() else 0)

    def sha256(self, name: str) -> str:
        """Return the checksum of a file of noise."""
        path = self.folder / name
        found = path.stat()
        return _sha256(path, found.st_mtime_ns, found.st_size)

    def shape(self, name: str) -> tuple[int, int]:
        """Return the number of samples and the sampling rate in Hz of a file of noise."""
        frames, rate, seekable = _read(_shape, self.folder / name)
        if not frames:
            raise FinserError("holds no sample", where=self.folder / name)
        if not seekable:
            do = "convert it to PCM, for example: ffmpeg -i OLD.wav -c:a pcm_s16le NEW.wav"
            raise FinserError("is compressed so that no excerpt of it can be read", where=self.folder / name, do=do)
        return frames, rate

    def power(self, name: str) -> float:
        """Return the mean square of a file of noise, mono and at 22,050 Hz, as it is mixed, without frequencies above 11,025 Hz."""
        path = self.folder / name
        found = path.stat()
        return _power(path, found.st_mtime_ns, found.st_size)

    def excerpt(self, name: str, offset: int, size: int) -> np.ndarray:
        """Return `size` samples of a file of noise from sample `offset`, mono, at its own rate; after its end from its beginning."""
        length, _ = self.shape(name)
        parts = []
        while size:
            some = min(size, length - offset)
            part = _read(soundfile.read, self.folder / name, start=offset, frames=some, dtype="float32", always_2d=True)[0]
            parts.append(part.mean(axis=1))  # (some, channels) -> (some,)
            size, offset = size - some, 0
        return np.concatenate(parts)


def checked_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the recordings in a folder of noise, sorted: ESC-50's, or all .wav files in it and below.

    Raises
    ------
    FinserError
        There are no recordings, a file is no audio, or ESC-50's list and its folder differ.
    """
    names = tuple(map(str, audio_files(folder)))
    if (folder / ESC_50).exists():
        names = _esc_50(folder, names)
    if not names:
        raise FinserError("no recording of noise here", where=folder, expected="files that end in .wav")
    return names


def _esc_50(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the recordings that meta/esc50.csv lists: exactly those of audio/."""
    try:
        with (folder / ESC_50).open(encoding="utf-8", newline="") as file:
            listed = {f"audio/{row['filename']}" for row in csv.DictReader(file)}
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise FinserError("not ESC-50's list", where=folder / ESC_50, expected="a CSV file with a column 'filename'") from None
    there = {name for name in names if name.startswith("audio/")}
    if listed != there:
        odd = min(listed ^ there)
        raise FinserError("the list and the folder audio/ differ", where=folder / ESC_50, found=f"{odd} in one only")
    return tuple(sorted(listed))


@lru_cache(maxsize=1)
def _reader(folder: Path, *_state: int) -> ClipReader:
    return ClipReader(folder)


@lru_cache(maxsize=4096)
def _sha256(path: Path, *_state: int) -> str:  # the state invalidates the cache if a file changes
    return checksum(path)


@lru_cache(maxsize=4096)
def _power(path: Path, *_state: int) -> float:
    return _read(_mean_square, path)


def _shape(path: Path) -> tuple[int, int, bool]:
    with soundfile.SoundFile(path) as file:
        return file.frames, file.samplerate, file.seekable()


def _mean_square(path: Path) -> float:
    """Return the mean square of the mean of the channels at 22,050 Hz, read in blocks."""
    squares, count = 0.0, 0
    with soundfile.SoundFile(path) as file:
        stream = soxr.ResampleStream(file.samplerate, SR, 1, quality=QUALITY)
        while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):  # (frames, channels)
            made = stream.resample_chunk(block.mean(axis=1), last=file.tell() >= file.frames)
            squares, count = squares + float(np.sum(np.square(made, dtype=np.float64))), count + len(made)
    return squares / max(count, 1)


def _read(function: Callable, path: Path, **how: object) -> object:
    try:
        return function(path, **how)
    except (soundfile.LibsndfileError, OSError) as error:
        raise FinserError(f"not readable as audio ({why(error)})", where=path, do="restore the file") from None
