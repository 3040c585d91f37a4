"""An estimate of the disk space that the data of params.yaml need, from the contracts of docs/features.md and docs/architecture.md.

A second of sound is 44,100 bytes of samples in data/audio and data/shards, 162 numbers of four bytes for each of 43 frames in data/labels
and data/fin_outputs, and 128 numbers for each of 100 frames of filter banks. Statistics of an encoder count as those of the largest known
encoder. Rows, indexes and splits add less than a hundredth. Models and results are not estimated. The cache of DVC, which may hold a copy
of all this, and the file systems are looked up here, too.
"""

import os
import statistics
from collections.abc import Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from finser import layout
from finser.audio.frames import DIMENSIONS, HOP_LENGTH, SR
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Local, Synthetic, Table
from finser.corpora import local
from finser.corpora.clips import read_clips
from finser.corpora.counts import expected_count
from finser.corpora.folders import audio_files
from finser.corpora.index import excluded
from finser.features import compare_2016, egemaps, filter_banks
from finser.features.statistics import DIM as STATISTICS

LINKS = ("reflink", "hardlink", "symlink")  # DVC's types of cache that take no second copy
SAMPLES = 2 * SR  # bytes per second of audio
FRAMES = 4 * sum(DIMENSIONS.values()) * SR // HOP_LENGTH  # bytes per second of labels, and of the outputs of FINs
VECTORS = {"statistics": STATISTICS, "egemaps": egemaps.DIM, "compare_2016": compare_2016.DIM}  # numbers per variant of a clip
EMBEDDED = 2 * 25 * 2 * 1024  # bytes of a variant of a clip: two statistics of WavLM large's 25 layers, float16
BANKS = 4 * filter_banks.BANDS * filter_banks.RATE // filter_banks.HOP  # bytes per second of filter banks
PUBLISHED = {  # mean seconds of a clip, and samples per second of its file (docs/corpora.md)
    "ravdess": (3.7, 48_000),
    "crema_d": (2.5, 16_000),
    "tess": (2.1, 24_414),
    "savee": (3.8, 44_100),
    "esd": (3.0, 16_000),
}
SPOKEN = 2.4  # mean seconds of a synthetic clip
LOOKED_AT = 40  # files of a folder from which the others are estimated


@dataclass(frozen=True)
class Extent:
    """A corpus: clips, their seconds, and the bytes of its files."""

    clips: int
    seconds: float
    size: int


def needed(params: Params) -> int:
    """Return an estimate of the bytes in data/ when all stages have run, without DVC's copies.

    Raises
    ------
    FinserError
        A folder or a table that params.yaml relies on is missing.
    """
    extents = {corpus: extent(params, corpus) for corpus in params.corpora}
    return sum(one.size + prepared(params, one, corpus in params.pooled) for corpus, one in extents.items()) + noisy(
        params, [extents[corpus] for corpus in params.pooled]
    )


def prepared(params: Params, extent: Extent, pooled: bool) -> int:
    """Return the bytes of a corpus in data/, without data/raw; features are of `pooled` corpora only."""
    every = sum(length(params, variant) for variant in params.variants)  # of all variants, in lengths of the original
    total = extent.seconds * (SAMPLES + every * (SAMPLES + FRAMES))
    if pooled:
        total += extent.seconds * every * FRAMES
        of_clips = sum(VECTORS.get(name, 0) for name in params.features.representations)
        total += extent.clips * len(params.variants) * 4 * of_clips
        total += extent.clips * len(params.features.encoders) * len(params.features.encoder_variants) * EMBEDDED
        if "filter_banks" in params.features.representations:
            total += extent.seconds * sum(length(params, variant) for variant in params.features.filter_bank_variants) * BANKS
    return round(total)


def length(params: Params, variant: str) -> float:
    """Return the length of a variant of a clip, as a multiple of the original's."""
    return 1 / params.augment.speed_pitch.rate if variant == "speed_pitch" else 1.0


def noisy(params: Params, pooled: Sequence[Extent]) -> int:
    """Return the bytes of data/noisy."""
    asked, clips = params.evaluate_classifier.noise, sum(one.clips for one in pooled)
    tested = min(asked.clips, clips // params.split.folds)
    seconds = sum(one.seconds for one in pooled) / max(clips, 1)
    rows = len(params.protocols) * len(params.folds) * len(asked.kinds) * len(asked.snr_db) * tested
    return round(rows * seconds * (SAMPLES + FRAMES))


def extent(params: Params, corpus: str) -> Extent:
    """Return what is known of a corpus: from its index, else from some of its files, else from its plan or its publisher."""
    source, raw = params.fetch[corpus], layout.raw(corpus)
    if layout.clips(corpus).exists():
        clips = read_clips(corpus)
        kept = clips.num_rows - len(excluded(clips))
        seconds = sum(value or 0 for value in clips["seconds"].to_pylist()) * kept / max(clips.num_rows, 1)
        return Extent(kept, seconds, size_of(raw))
    if isinstance(source, Table):
        return _of_files(_of_table(params, source, corpus))
    if isinstance(source, Local):
        folder = local.folder_of(corpus)
        return _of_files([folder / name for name in audio_files(folder)])
    seconds, sr = PUBLISHED[corpus]
    count, seconds = expected_count(source, corpus), SPOKEN if isinstance(source, Synthetic) else seconds
    return Extent(count, count * seconds, round(count * seconds * 2 * sr))


def _of_table(params: Params, source: Table, corpus: str) -> list[Path]:
    from finser.corpora.tables.listing import check_table

    root = locations.root(corpus)
    listing = check_table(locations.table(corpus), root, source, corpus, params.emotions)
    return [Path(root, path) for path in listing.files.values()]


def _of_files(paths: Sequence[Path]) -> Extent:
    """Return number, length and size of files, from some that are evenly spread; those that cannot be read do not count."""
    import soundfile

    some = paths[:: max(len(paths) // LOOKED_AT, 1)]
    seconds, sizes = [], []
    for path in some:
        try:
            seconds.append(soundfile.info(path).duration)
            sizes.append(path.stat().st_size)
        except (soundfile.LibsndfileError, OSError):
            continue  # `index` says what is wrong with it
    if not seconds:
        return Extent(len(paths), 0.0, 0)
    return Extent(len(paths), len(paths) * statistics.mean(seconds), round(len(paths) * statistics.mean(sizes)))


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; a link counts as what it is on the disk, and what vanishes meanwhile as nothing."""
    total = 0
    for above, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(above, name)).st_size  # noqa: PTH118  (a hundred thousand files)
            except OSError:
                continue
    return total


def cache() -> tuple[Path, bool]:
    """Return the folder of DVC's cache, and whether its files are links to it only, not copies."""
    settings = ConfigParser(interpolation=None, strict=False)
    settings.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
    folder = Path(".dvc", settings.get("cache", "dir", fallback="cache"))
    kinds = settings.get("cache", "type", fallback="reflink,copy").split(",")
    return folder, kinds[0].strip() in LINKS[1:]


def existing(path: Path) -> Path:
    """Return a path, or the nearest folder above it that exists."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def device_of(path: Path) -> int:
    """Return the number of the file system that a path is on, or would be."""
    return existing(path).stat().st_dev
