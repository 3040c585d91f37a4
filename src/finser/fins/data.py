"""Frames and their labels, drawn evenly over the clips of a set."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from finser import layout
from finser.audio.frames import DIMENSIONS, N_FFT, frames
from finser.audio.shards import AudioRow, read_aligned, read_audio
from finser.config.params import Params
from finser.seeds import generator
from finser.splits.protocols import usable
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
        Whose frames these are.
    clips, numbers : list of str, np.ndarray
        Of which clip each frame is, and its number there; int64, shape (n,).
    """

    frames: np.ndarray
    labels: np.ndarray
    speakers: frozenset[str]
    clips: list[str]
    numbers: np.ndarray


def clip_ids(params: Params, corpora: Iterable[str], role: str | None = None) -> frozenset[str]:
    """Clips of `corpora` that have `role` in the fold of the split that FINs use; all usable clips if it is None.

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
    """Draw `size` frames evenly over the clips: from row i of n, ``size * (i + 1) // n - size * i // n`` of its frames.

    Parameters
    ----------
    feature : str
        Whose labels come along.
    corpora, role
        Of the clips, as `clip_ids` has them.
    variants : tuple of str
        Rows taken of each clip.
    size : int
        Clips with fewer frames than their share give what they have, so that fewer may come.
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
    """The wanted clips' rows of data/shards, in order, each with the labels (n_frames, dim) of its frames; (0,) without a feature."""
    for corpus in corpora:
        for audio, label in _rows(corpus, feature):
            if audio.clip_id in wanted and audio.variant in variants:
                yield audio, label


def _rows(corpus: str, feature: str | None) -> Iterator[tuple[AudioRow, np.ndarray]]:
    if feature is None:
        return ((audio, np.empty(0, np.float32)) for audio in read_audio(layout.shards(corpus)))
    aligned = read_aligned(layout.shards(corpus), layout.labels(corpus), (feature,))
    return ((audio, label.features[feature]) for audio, label in aligned)


def choose(seed: int, audio: AudioRow, n_frames: int, share: int) -> np.ndarray:
    """Numbers of the frames drawn from one row, ascending."""
    draws = generator(seed, "fin frames", audio.clip_id, audio.variant)
    return np.sort(draws.choice(n_frames, min(share, n_frames), replace=False))
