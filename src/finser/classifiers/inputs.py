"""What classifiers are given: statistics of label rows, or samples, of the clips of a split.

Training parts may use augmented variants; validation and test use originals only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from finser import layout
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.frames import HOP_LENGTH
from finser.progress import track
from finser.shards import SR, LabelRow, read_audio, read_labels

DELTA_WIDTH = 9  # frames
FLOOR = 1e-10  # below which an RMS is as good as zero
N_MFCC_STATISTICS = 200


@dataclass(frozen=True)
class Source:
    """Where a model's inputs lie, and how a row becomes one input.

    Attributes
    ----------
    folder : callable
        Corpus -> folder of shards or labels.
    read : callable
        Folder -> rows with ``clip_id`` and ``variant``.
    convert : callable
        Row -> array.
    """

    folder: Callable[[str], Path]
    read: Callable[[Path], Iterator[Any]]
    convert: Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class Examples:
    """Inputs of one part of a split.

    Attributes
    ----------
    clip_ids, speakers : list of str
        One per input; a clip stands once per variant.
    targets : np.ndarray
        Class numbers in the order of ``EMOTIONS``, int64, shape (n,).
    inputs : list of np.ndarray
        What the model's `Source` makes of each row.
    """

    clip_ids: list[str]
    speakers: list[str]
    targets: np.ndarray
    inputs: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.inputs)


def deltas(mfcc: np.ndarray) -> np.ndarray:
    """Slope of each column over time: ``librosa.feature.delta(mfcc.T, width=9).T``, for any number of frames.

    Parameters
    ----------
    mfcc : np.ndarray
        Shape (n_frames, dim). Clips of fewer than 9 frames are continued by their first and last frame (mode ``nearest``).
    """
    from scipy.signal import savgol_filter

    mode = "interp" if len(mfcc) >= DELTA_WIDTH else "nearest"
    return savgol_filter(mfcc, DELTA_WIDTH, polyorder=1, deriv=1, axis=0, mode=mode)


def summary_statistics(row: LabelRow) -> np.ndarray:
    """211 numbers per clip, what the SVM is given.

    Mean, standard deviation, 10th, 50th and 90th percentile over the frames of 20 MFCC, their deltas, the zero-crossing rate
    and the natural logarithm of max(RMS, 1e-10), then the clip's length in seconds (frames x 512 / 22,050).

    Returns
    -------
    np.ndarray
        float32, shape (211,): five blocks of 42, then the length.
    """
    mfcc = row.features["mfcc"]  # (frames, 20)
    log_rms = np.log(np.maximum(row.features["rms"], FLOOR))
    frames = np.hstack([mfcc, deltas(mfcc), row.features["zcr"], log_rms])  # (frames, 42)
    return np.append(_over_time(frames), len(frames) * HOP_LENGTH / SR).astype(np.float32)


def mfcc_statistics(row: LabelRow) -> np.ndarray:
    """200 numbers per clip, what the dense network is given: the five statistics of 20 MFCC and their deltas.

    Returns
    -------
    np.ndarray
        float32, shape (200,): five blocks of 40.
    """
    mfcc = row.features["mfcc"]  # (frames, 20)
    return _over_time(np.hstack([mfcc, deltas(mfcc)])).astype(np.float32)


def samples(row: Any) -> np.ndarray:
    """The clip itself: int16, shape (n_samples,)."""
    return row.audio


SUMMARY = Source(layout.labels, partial(read_labels, features=("rms", "zcr", "mfcc")), summary_statistics)
MFCC = Source(layout.labels, partial(read_labels, features=("mfcc",)), mfcc_statistics)
AUDIO = Source(layout.shards, read_audio, samples)


def read_examples(source: Source, parts: dict[str, pa.Table], variants: dict[str, tuple[str, ...]]) -> dict[str, Examples]:
    """Inputs of each part of a split, every corpus read once, in the order of the shards.

    Parameters
    ----------
    source : Source
        What to read.
    parts : dict
        Rows of a split (columns clip_id, corpus, speaker, emotion) by the name of the part.
    variants : dict
        Per part, which variants of its clips.

    Raises
    ------
    FinserError
        The shards or labels lack a clip of the split.
    """
    wanted = {(row["clip_id"], variant): (part, row) for part in parts for row in parts[part].to_pylist() for variant in variants[part]}
    corpora = sorted({row["corpus"] for _, row in wanted.values()})
    found: dict[str, list[tuple[dict, np.ndarray]]] = {part: [] for part in parts}
    for corpus in corpora:
        for row in track(source.read(source.folder(corpus)), f"reading {corpus}"):
            part, entry = wanted.pop((row.clip_id, row.variant), (None, None))
            if entry is not None:
                found[part].append((entry, source.convert(row)))
    if wanted:
        clip, variant = min(wanted)
        where = source.folder(wanted[clip, variant][1]["corpus"])
        raise FinserError(f"lacks {len(wanted)} rows of the split, e.g. {clip} ({variant})", where=where, do="run: dvc repro")
    return {part: _examples(rows) for part, rows in found.items()}


def _examples(rows: list[tuple[dict, np.ndarray]]) -> Examples:
    entries = [entry for entry, _ in rows]
    targets = np.array([EMOTIONS.index(entry["emotion"]) for entry in entries], np.int64)
    return Examples([entry["clip_id"] for entry in entries], [entry["speaker"] for entry in entries], targets, [array for _, array in rows])


def _over_time(frames: np.ndarray) -> np.ndarray:
    """Five statistics of each column, float64, shape (5 * dim,)."""
    frames = frames.astype(np.float64)
    return np.concatenate([frames.mean(0), frames.std(0), *np.percentile(frames, (10, 50, 90), axis=0)])
