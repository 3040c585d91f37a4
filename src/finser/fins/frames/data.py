"""Frames with their labels, drawn evenly over clips."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from finser import layout
from finser.audio.frames import DIMENSIONS, N_FFT, frames
from finser.audio.shards import AudioRow, read_aligned, read_audio
from finser.config.params import Params
from finser.corpora.clips import usable
from finser.seeds import generator
from finser.splits.table import FINS, read_parts

ORIGINAL = ("original",)


@dataclass(frozen=True)
class FrameSet:
    """Frames with one feature's labels.

    Attributes
    ----------
    frames : np.ndarray
        int16, shape (n, 2048).
    labels : np.ndarray
        float32, shape (n, dim).
    speakers : frozenset of str
        Speakers of the frames.
    clips, numbers : list of str, np.ndarray
        Clip of each frame, and the frame's index in it, int64, shape (n,).
    """

    frames: np.ndarray
    labels: np.ndarray
    speakers: frozenset[str]
    clips: list[str]
    numbers: np.ndarray


def clip_ids(params: Params, corpora: Iterable[str], role: str | None = None) -> frozenset[str]:
    """Return the clips of `corpora` that have `role` in the fold for FINs, or all usable clips if `role` is None.

    Raises
    ------
    FinserError
        The split or an index is missing, leaks, or holds no such clip.
    """
    if role is not None:
        return frozenset(read_parts(FINS, params.train_fin.data.fold, tuple(corpora))[role]["clip_id"].to_pylist())
    return frozenset(clip for corpus in corpora for clip in usable(corpus)["clip_id"].to_pylist())


def draw(
    params: Params, feature: str, corpora: Iterable[str], *, role: str | None = None, variants: tuple[str, ...] = ORIGINAL, size: int
) -> FrameSet:
    """Draw `size` frames evenly over the clips; row i of n gives ``size * (i + 1) // n - size * i // n`` frames.

    Parameters
    ----------
    feature : str
        Feature whose labels are returned.
    corpora, role
        Selection of the clips, as in `clip_ids`.
    variants : tuple of str
        Variants of each clip to draw from.
    size : int
        Number of frames. Clips with too few frames give all of them, so that the result may have fewer.
    """
    corpora = tuple(corpora)
    wanted = clip_ids(params, corpora, role)
    n, begin, speakers = len(wanted) * len(variants), 0, set()
    taken = np.empty((size, N_FFT), np.int16)
    labels = np.empty((size, DIMENSIONS[feature]), np.float32)
    clips, numbers = [], []
    for i, (audio, label) in enumerate(rows(corpora, feature, wanted, variants)):
        chosen = choose(params.seed, audio, len(label), size * (i + 1) // n - size * i // n)
        end = begin + len(chosen)
        taken[begin:end], labels[begin:end] = frames(audio.audio)[chosen], label[chosen]
        begin = end
        clips += [audio.clip_id] * len(chosen)
        numbers.append(chosen)
        speakers.add(audio.speaker)
    return FrameSet(taken[:begin], labels[:begin], frozenset(speakers), clips, np.concatenate(numbers))


def rows(
    corpora: tuple[str, ...], feature: str | None, wanted: Collection[str], variants: Collection[str]
) -> Iterator[tuple[AudioRow, np.ndarray]]:
    """Yield the rows of the `wanted` clips in the order of data/shards, with the labels (n_frames, dim) of their frames.

    Without a feature the labels have shape (0,).
    """
    for corpus in corpora:
        for audio, label in _rows(corpus, feature):
            if audio.clip_id in wanted and audio.variant in variants:
                yield audio, label


def _rows(corpus: str, feature: str | None) -> Iterator[tuple[AudioRow, np.ndarray]]:
    if feature is None:
        return ((audio, np.empty(0, np.float32)) for audio in read_audio(layout.shards(corpus)))
    aligned = read_aligned(layout.shards(corpus), layout.labels(corpus), (feature,))
    return ((audio, label.features[feature]) for audio, label in aligned)


def choose(seed: int, audio: AudioRow, n_frames: int, size: int) -> np.ndarray:
    """Return the indices of the frames drawn from one row, ascending."""
    draws = generator(seed, "fin frames", audio.clip_id, audio.variant)
    return np.sort(draws.choice(n_frames, min(size, n_frames), replace=False))
