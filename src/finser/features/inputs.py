"""What classifiers are given: statistics of label rows, or samples, of the clips of a split.

Training parts may use augmented variants; validation and test use originals only.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from finser import layout
from finser.audio.decibels import natural_log
from finser.audio.frames import HOP_LENGTH
from finser.audio.shards import SR, read_aligned, read_audio, read_labels, read_records
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.progress import track

DELTA_WIDTH = 9  # frames
FLOOR = 1e-10  # below which an RMS is as good as zero
N_MFCC_STATISTICS = 200


@dataclass(frozen=True)
class Row:
    """One variant of a clip, with what a source asks for.

    Attributes
    ----------
    audio : np.ndarray, optional
        int16, shape (n_samples,).
    features : dict
        librosa's features, each float32, shape (n_frames, dim).
    """

    clip_id: str
    variant: str
    audio: np.ndarray | None
    features: dict[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """What a model needs of a clip, and how it becomes one input.

    Attributes
    ----------
    convert : callable
        Row -> array, or whatever the model's collate takes.
    features : tuple of str
        Label columns that are read.
    audio : bool
        Whether the samples are read.
    """

    convert: Callable[[Row], Any]
    features: tuple[str, ...] = ()
    audio: bool = False

    def rows(self, corpus: str) -> Iterator[Row]:
        """All rows of a corpus, in the order of the shards."""
        shards, labels = layout.shards(corpus), layout.labels(corpus)
        if self.audio and self.features:
            pairs = read_aligned(shards, labels, self.features)
            return (Row(audio.clip_id, audio.variant, audio.audio, label.features) for audio, label in pairs)
        if self.audio:
            return (Row(row.clip_id, row.variant, row.audio, {}) for row in read_audio(shards))
        return (Row(row.clip_id, row.variant, None, row.features) for row in read_labels(labels, self.features))


@dataclass(frozen=True)
class Examples:
    """Inputs of one part of a split.

    Attributes
    ----------
    part : str
        ``train``, ``validation`` or ``test``.
    clip_ids, speakers, variants : list of str
        One per input; a clip stands once per variant.
    targets : np.ndarray
        Class numbers in the order of ``EMOTIONS``, int64, shape (n,).
    inputs : list
        What the model's `Source` makes of each row.
    """

    part: str
    clip_ids: list[str]
    speakers: list[str]
    variants: list[str]
    targets: np.ndarray
    inputs: list[Any]

    def __len__(self) -> int:
        return len(self.clip_ids)


def check_apart(parts: Iterable[Examples], *, leaky: bool) -> None:
    """Refuse parts that leak into one another.

    Raises
    ------
    FinserError
        A clip stands in two parts, in whatever variant; a speaker does, unless the protocol is `leaky` by design; or an
        augmented copy stands where only originals may.
    """
    homes: dict[tuple[str, str], str] = {}
    for examples in parts:
        named = [("clip", clip) for clip in examples.clip_ids]
        named += [] if leaky else [("speaker", speaker) for speaker in examples.speakers]
        for kind, name in named:
            if homes.setdefault((kind, name), examples.part) != examples.part:
                raise FinserError(f"{kind} {name} stands in {homes[kind, name]} and in {examples.part}", do="split again: finser split")
        augmented = sorted(set(examples.variants) - {"original"})
        if augmented and examples.part != "train":
            raise FinserError(f"augmented copies ({', '.join(augmented)}) in {examples.part}", expected="originals only")


def check_training_part(examples: Examples) -> None:
    """Refuse to learn, or to take statistics for normalisation, from anything but the training part."""
    if examples.part != "train":
        raise FinserError("statistics and weights come from the training part only", expected="train", found=examples.part)


def deltas(mfcc: np.ndarray) -> np.ndarray:
    """Slope of each column over time: ``librosa.feature.delta(mfcc.T, width=9).T``, for any number of frames.

    Parameters
    ----------
    mfcc : np.ndarray
        Shape (n_frames, dim). Clips of fewer than 9 frames are continued by their first and last frame (mode ``nearest``).
    """
    half = DELTA_WIDTH // 2
    short = len(mfcc) < DELTA_WIDTH
    rows = np.pad(mfcc, ((half, half), (0, 0)), "edge") if short else mfcc
    inner = len(rows) - 2 * half
    # scipy's savgol_filter asks LAPACK for these whole numbers, and gets other last bits on other CPUs
    rises = sum(k * (rows[half + k :][:inner].astype(np.float64) - rows[half - k :][:inner]) for k in range(1, half + 1))
    slopes = rises / (2 * sum(k * k for k in range(1, half + 1)))
    return (slopes if short else np.pad(slopes, ((half, half), (0, 0)), "edge")).astype(mfcc.dtype)


def summary_statistics(row: Row) -> np.ndarray:
    """211 numbers per clip, what the SVM is given.

    Mean, standard deviation, 10th, 50th and 90th percentile over the frames of 20 MFCC, their deltas, the zero-crossing rate
    and the natural logarithm of max(RMS, 1e-10), then the clip's length in seconds (frames x 512 / 22,050).

    Returns
    -------
    np.ndarray
        float32, shape (211,): five blocks of 42, then the length.
    """
    mfcc = row.features["mfcc"]  # (frames, 20)
    log_rms = natural_log(np.maximum(row.features["rms"], FLOOR)).astype(np.float32)
    frames = np.hstack([mfcc, deltas(mfcc), row.features["zcr"], log_rms])  # (frames, 42)
    return np.append(_over_time(frames), len(frames) * HOP_LENGTH / SR).astype(np.float32)


def mfcc_statistics(row: Row) -> np.ndarray:
    """200 numbers per clip, what the dense network is given: the five statistics of 20 MFCC and their deltas.

    Returns
    -------
    np.ndarray
        float32, shape (200,): five blocks of 40.
    """
    mfcc = row.features["mfcc"]  # (frames, 20)
    return _over_time(np.hstack([mfcc, deltas(mfcc)])).astype(np.float32)


SUMMARY = Source(summary_statistics, ("rms", "zcr", "mfcc"))
MFCC = Source(mfcc_statistics, ("mfcc",))


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
        The shards or labels lack a clip of the split, or say that another speaker speaks it, or with another emotion.
    """
    wanted = {(row["clip_id"], variant): (part, row) for part in parts for row in parts[part].to_pylist() for variant in variants[part]}
    corpora = sorted({row["corpus"] for _, row in wanted.values()})
    found: dict[str, list[tuple[dict, str, Any]]] = {part: [] for part in parts}
    for corpus in corpora:
        _check_against_shards({row["clip_id"]: row for _, row in wanted.values()}, corpus)
        for row in track(source.rows(corpus), f"reading {corpus}"):
            part, entry = wanted.pop((row.clip_id, row.variant), (None, None))
            if entry is not None:
                found[part].append((entry, row.variant, source.convert(row)))
    if wanted:
        clip, variant = min(wanted)
        where = layout.shards(wanted[clip, variant][1]["corpus"])
        raise FinserError(f"lacks {len(wanted)} rows of the split, e.g. {clip} ({variant})", where=where, do="run: dvc repro")
    return {part: _examples(part, rows) for part, rows in found.items()}


def _check_against_shards(entries: dict[str, dict], corpus: str) -> None:
    """A split is a file, and may have been edited: who speaks, and how, is what came with the sound."""
    where = layout.shards(corpus)
    for record in read_records(where, ("clip_id", "speaker", "emotion")):  # no audio is read
        entry = entries.get(record["clip_id"], record)
        for name in ("speaker", "emotion"):
            if entry[name] != record[name]:
                what = f"the split has another {name} for {record['clip_id']}"
                raise FinserError(what, where=where, expected=record[name], found=entry[name], do="split again: finser split")


def _examples(part: str, rows: list[tuple[dict, str, Any]]) -> Examples:
    targets = np.array([EMOTIONS.index(entry["emotion"]) for entry, _, _ in rows], np.int64)
    named = {name: [entry[column] for entry, _, _ in rows] for name, column in (("clip_ids", "clip_id"), ("speakers", "speaker"))}
    return Examples(part, **named, variants=[variant for _, variant, _ in rows], targets=targets, inputs=[array for _, _, array in rows])


def _over_time(frames: np.ndarray) -> np.ndarray:
    """Five statistics of each column, float64, shape (5 * dim,)."""
    frames = frames.astype(np.float64)
    return np.concatenate([frames.mean(0), frames.std(0), *np.percentile(frames, (10, 50, 90), axis=0)])
