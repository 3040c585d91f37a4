"""One variant of a clip, and its conversion to a model's input."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finser import layout
from finser.audio.shards import Only, read_aligned, read_audio, read_labels, read_records
from finser.errors import FinserError
from finser.features import store


@dataclass(frozen=True)
class Row:
    """One variant of a clip, with the data that a reader reads.

    Attributes
    ----------
    audio : np.ndarray, optional
        int16, shape (n_samples,).
    features : dict
        librosa's features, each float32, shape (n_frames, dim); a stored representation has its own name as key.
    """

    clip_id: str
    variant: str
    audio: np.ndarray | None
    features: dict[str, np.ndarray]


@dataclass(frozen=True)
class Reader:
    """The data of a clip that a model needs, and their conversion to one input.

    Attributes
    ----------
    convert : callable
        Row -> array, or whatever the model's collate takes.
    features : tuple of str
        Label columns that `convert` needs if no representation is stored.
    audio : bool
        Whether `convert` needs the samples if no representation is stored.
    stored : str
        A representation (a folder of data/features) that was computed once, and replaces samples and labels; empty for none.
    beside : tuple of str
        Label columns that `convert` needs in addition to the stored representation.
    by_speaker : bool
        Whether the inputs of each speaker are scaled to mean 0 and standard deviation 1 (:func:`finser.features.examples.by_speaker`).
    """

    convert: Callable[[Row], Any]
    features: tuple[str, ...] = ()
    audio: bool = False
    stored: str = ""
    beside: tuple[str, ...] = ()
    by_speaker: bool = False

    def folders(self, corpus: str) -> list[Path]:
        """Return the folders that :meth:`rows` reads."""
        if self.stored:
            return [layout.features(self.stored, corpus), *([layout.labels(corpus)] if self.beside else [])]
        return [layout.shards(corpus), *([layout.labels(corpus)] if self.features else [])]

    def names(self, corpus: str) -> Iterator[dict]:
        """Yield clip_id, speaker and emotion of the rows of a corpus; neither samples nor values are read."""
        if self.stored:
            yield from store.read_names(layout.features(self.stored, corpus))
        else:
            yield from read_records(layout.shards(corpus), ("clip_id", "speaker", "emotion"))

    def rows(self, corpus: str, only: Only | None = None) -> Iterator[Row]:
        """Yield the rows of a corpus, or `only` some, in the order of the shards."""
        shards, labels = layout.shards(corpus), layout.labels(corpus)
        if self.stored:
            yield from self._stored_rows(corpus, only)
        elif self.audio and self.features:
            for audio, label in read_aligned(shards, labels, self.features, only):
                yield Row(audio.clip_id, audio.variant, audio.audio, label.features)
        elif self.audio:
            for row in read_audio(shards, only):
                yield Row(row.clip_id, row.variant, row.audio, {})
        else:
            for row in read_labels(labels, self.features, only):
                yield Row(row.clip_id, row.variant, None, row.features)

    def _stored_rows(self, corpus: str, only: Only | None) -> Iterator[Row]:
        where = layout.features(self.stored, corpus)
        stored = store.read(where, only)
        if not self.beside:
            for row in stored:
                yield Row(row.clip_id, row.variant, None, {self.stored: row.values})
            return
        for row, label in zip(stored, read_labels(layout.labels(corpus), self.beside, only), strict=True):
            if (row.clip_id, row.variant) != (label.clip_id, label.variant):
                raise FinserError("rows of other labels", where=where, expected=label.clip_id, found=row.clip_id, do="dvc repro")
            yield Row(row.clip_id, row.variant, None, {self.stored: row.values, **label.features})
