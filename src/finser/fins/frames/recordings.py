"""Training clips in one memory map, from which frames are extracted on demand.

Frames of 2,048 samples overlap by 1,536, so that stored frames would take four times the space.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from finser import layout
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, N_FFT, n_frames, padded
from finser.fins.frames.data import rows


@dataclass(frozen=True)
class Recordings:
    """Clips, with the labels of their frames if these are needed.

    Attributes
    ----------
    pcm : np.ndarray
        int16, memory-mapped: all clips one after another, each with zero padding on both sides.
    begins : np.ndarray
        int64, shape (n_clips,): index of each clip's first sample in `pcm`.
    counts : np.ndarray
        int64, shape (n_clips,): number of frames of each clip.
    speakers : frozenset of str
        Speakers of the clips.
    digest : str
        Digest of all samples and labels.
    labels : np.ndarray, optional
        float32, memory-mapped, shape (sum of counts, dim).
    """

    pcm: np.ndarray
    begins: np.ndarray
    counts: np.ndarray
    speakers: frozenset[str]
    digest: str
    labels: np.ndarray | None = None

    def draw(self, size: int, random: torch.Generator) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw `size` frames, int16 (size, 2048), with their labels (size, dim): uniform over clips, then over a clip's frames."""
        clip = torch.randint(len(self.begins), (size,), generator=random).numpy()
        frame = (torch.rand(size, generator=random, dtype=torch.float64).numpy() * self.counts[clip]).astype(np.int64)
        every = np.lib.stride_tricks.sliding_window_view(self.pcm, N_FFT)
        frames = every[self.begins[clip] + HOP_LENGTH * frame]  # (size, 2048), the only copy
        if self.labels is None:
            return frames, None
        return frames, self.labels[self.first[clip] + frame]

    @cached_property
    def first(self) -> np.ndarray:
        """Index of each clip's first label."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]])


def gather(corpora: Iterable[str], clip_ids: Collection[str], variants: Collection[str], feature: str, *, labelled: bool) -> Recordings:
    """Copy the wanted rows of data/shards to a temporary file of this process, and map it to memory."""
    layout.DATA.mkdir(exist_ok=True)
    begins, counts, speakers, end, digest = [], [], set(), 0, hashlib.blake2b()
    given = rows(tuple(corpora), feature if labelled else None, clip_ids, tuple(variants))
    with tempfile.TemporaryFile(dir=layout.DATA) as pcm, tempfile.TemporaryFile(dir=layout.DATA) as labels:
        for audio, label in given:
            clip = padded(audio.audio)
            for file, values in ((pcm, clip), (labels, label)):
                file.write(values.tobytes())
                digest.update(values.tobytes())
            begins.append(end)
            counts.append(n_frames(len(audio.audio)))
            speakers.add(audio.speaker)
            end += len(clip)
        mapped = np.memmap(pcm, np.int16, "r")
        kept = np.memmap(labels, np.float32, "r").reshape(-1, DIMENSIONS[feature]) if labelled else None
    return Recordings(mapped, np.array(begins), np.array(counts), frozenset(speakers), digest.hexdigest(), kept)
