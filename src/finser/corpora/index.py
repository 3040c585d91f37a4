"""Stage `index`: one row per audio file found, with a status and a reason for exclusion.

A faulty file (truncated, unreadable, empty, a Git LFS pointer, an unknown code in its name) stops the stage, which lists all such files:
the copy must be repaired first. An intact file that cannot be used (silent, a duplicate) stays in the index with the reason.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import soxr

from finser import layout
from finser.config.params import Params
from finser.config.sections.fetch import Local, Source
from finser.config.sections.resample import Resample
from finser.corpora import complete, faults, headers, local
from finser.corpora.clips import CLIPS_SCHEMA
from finser.corpora.folders import audio_files, size_of_audio
from finser.corpora.known import registry
from finser.corpora.known.utterance import Corpus, Utterance
from finser.errors import FinserError
from finser.files import checksum, whole_file, why
from finser.progress import say, track
from finser.workers import map_in_order

BLOCK = 2**16  # frames per read
USED = Resample()  # rate and resampler of the converted clips


@dataclass(frozen=True)
class Sound:
    """Properties of one audio file; `peak` and `rms` are of full scale 1, over all channels.

    `used` is the peak after conversion: the mean of the channels at 22,050 Hz, rounded to 16 bit; None if no sample is left.
    """

    sha256: str
    sample_rate: int
    channels: int
    n_samples: int
    seconds: float
    peak: float
    rms: float
    used: float | None


def index(params: Params, corpus: str) -> None:
    """Write data/clips/CORPUS.parquet, and print how many clips were found, expected, misnamed, kept, and excluded by reason.

    Raises
    ------
    FinserError
        Clips are missing (and `allow_partial` is not set), there are too many, or a file is faulty.
    """
    root, source, known = layout.raw(corpus), params.fetch[corpus], registry.get(corpus)
    if not root.is_dir():
        raise FinserError("no such folder", where=root, do=f"run first: finser fetch {corpus}")
    paths = audio_files(root)
    utterances = _with_texts([known.parse(path) for path in paths], paths, root, known)
    expected = complete.check(utterances, source, known, root)
    jobs = [(root / path, origin(source, corpus, root) / path) for path in paths]
    sounds = list(track(map_in_order(_measured, jobs), f"reading {corpus}", total=len(paths)))
    faults.refuse([sound for sound in sounds if isinstance(sound, FinserError)], origin(source, corpus, root))
    rows = [{**asdict(said), "path": str(path), **asdict(sound)} for path, said, sound in zip(paths, utterances, sounds, strict=True)]
    faults.refuse(clashes(rows, origin(source, corpus, root)), origin(source, corpus, root))
    for row, reason in zip(rows, exclusions(rows, params.index.silence_peak), strict=True):
        row.update(status="excluded" if reason else "ok", reason=reason)
    table = pa.Table.from_pylist(rows, CLIPS_SCHEMA)
    with whole_file(layout.clips(corpus)) as partial:
        pq.write_table(table, partial)
    print("\n".join(summary(table, known.title, expected)))


def excluded(table: pa.Table) -> list[tuple[str, str]]:
    """Return clip and reason of every excluded file of an index, in its order."""
    columns = (table[name].to_pylist() for name in ("status", "clip_id", "reason"))
    return [(clip, reason) for status, clip, reason in zip(*columns, strict=True) if status == "excluded"]


def _with_texts(utterances: list[Utterance], paths: Sequence[PurePosixPath], root: Path, known: Corpus) -> list[Utterance]:
    """Add the text of the sentence to the utterances if the corpus has transcripts."""
    if known.texts is None:
        return utterances
    texts = known.texts(root)
    completed, contradicted = [], []
    for said, path in zip(utterances, paths, strict=True):
        text, label = texts.get(path.stem, ("", ""))
        completed.append(Utterance(**{**asdict(said), "sentence": text or said.sentence}))
        if label and label != said.publisher_label:
            contradicted.append(path)
    if contradicted:
        say(f"{known.title}: transcripts contradict the folders of {len(contradicted)} files, e.g. {contradicted[0]}; the folders count")
    return completed


def origin(source: Source, corpus: str, root: Path) -> Path:
    """Return the user's folder of the files of data/raw/CORPUS: the folder that they were copied from if known, else data/raw."""
    return (local.known_folder(corpus) if isinstance(source, Local) else None) or root


def _measured(job: tuple[Path, Path]) -> Sound | FinserError:
    """Run :func:`measure`, and return its error as a value, so that the other files are measured, too."""
    try:
        return measure(*job)
    except FinserError as error:
        return error


def measure(path: Path, where: Path | None = None) -> Sound:
    """Read an audio file to its end.

    Parameters
    ----------
    path : Path
        The file.
    where : Path, optional
        Name of the file in errors; default `path`.

    Raises
    ------
    FinserError
        The file is empty, truncated, unreadable, without samples, or a Git LFS pointer, or its header does not state its length.
    """
    where = path if where is None else where
    size_of_audio(path, where)
    headers.check(path, where)
    peak, squares, n_samples, mono = 0.0, 0.0, 0, []
    try:
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(BLOCK, dtype="float64", always_2d=True)):  # (frames, channels); blocks() fails on GSM
                peak = max(peak, float(np.abs(block).max()))
                squares += float(np.square(block).sum())
                n_samples += len(block)
                mono.append(block.astype(np.float32).mean(axis=1))  # (frames,)
            promised, rate, channels = file.frames, file.samplerate, file.channels
    except (soundfile.SoundFileError, OSError) as error:
        raise FinserError(f"not readable as audio ({why(error)})", where=where, do="copy or download it again") from None
    if n_samples == 0 or n_samples != promised:
        raise FinserError("truncated audio", where=where, expected=f"{promised or 'some'} samples", found=n_samples)
    if not np.isfinite(squares):
        raise FinserError("samples that are no numbers (NaN or infinite)", where=where, do="repair the file")
    rms = float(np.sqrt(squares / (n_samples * channels)))
    return Sound(checksum(path), rate, channels, n_samples, n_samples / rate, peak, rms, peak_as_used(np.concatenate(mono), rate))


def peak_as_used(mono: np.ndarray, rate: int) -> float | None:
    """Return the peak of a float32 clip (n,) at `rate` Hz after resampling to 22,050 Hz and rounding to 16 bit; None: no sample.

    Before this conversion, some silent clips are not silent: channels of opposite sign, a lowest bit of 24, floats of 1e-30, a tone above
    11,025 Hz.
    """
    y = mono if rate == USED.sr else soxr.resample(mono, rate, USED.sr, quality=USED.quality)
    return float(np.rint(np.abs(y).max() * 32_768)) / 32_768 if len(y) else None


def clashes(rows: Sequence[dict], folder: Path) -> list[FinserError]:
    """Return an error for every file below `folder` that is the same clip as an earlier one, with other bytes."""
    first: dict[str, dict] = {}
    pairs = [(first.setdefault(row["clip_id"], row), row) for row in rows]
    return [
        FinserError(f"another file is the same clip with other bytes: {one['path']}", where=folder / other["path"], do="remove one")
        for one, other in pairs
        if one["sha256"] != other["sha256"]
    ]


def exclusions(rows: Sequence[dict], silence_peak: float) -> list[str]:
    """Return the reason for exclusion of each clip, or "".

    Parameters
    ----------
    rows : sequence of dict
        clip_id, path, sha256, emotion, peak and used (see :class:`Sound`) of each file, sorted by path.
    silence_peak : float
        A clip is silent unless its peak, after conversion, is above this.
    """
    reasons = [""] * len(rows)
    first: dict[str, dict] = {}
    alike = defaultdict(list)
    for number, row in enumerate(rows):
        original = first.setdefault(row["clip_id"], row)
        if original is not row:
            reasons[number] = f"second copy of {row['clip_id']}"
        elif useless := _useless(row, silence_peak):
            reasons[number] = useless
        else:
            alike[row["sha256"]].append(number)
    for numbers in alike.values():
        for number, reason in _duplicates(numbers, rows):
            reasons[number] = reason
    return reasons


def _useless(row: dict, silence_peak: float) -> str:
    """Return why a clip cannot be used, or ""."""
    if row["peak"] <= silence_peak:
        return f"silent: peak {row['peak']:g}"
    if row["used"] is None:
        return f"too short: no sample is left at {USED.sr} Hz"
    return f"silent as {USED.sr} Hz, mono, 16 bit" if row["used"] <= silence_peak else ""


def _duplicates(numbers: Sequence[int], rows: Sequence[dict]) -> Iterator[tuple[int, str]]:
    """Yield the byte-identical clips to exclude: all if their labels conflict, all but the first if they agree.

    The first in the order of clip_ids is kept. That order is the same in every repack; the order of paths is not.
    """
    numbers = sorted(numbers, key=lambda number: rows[number]["clip_id"])
    conflicting = len({rows[number]["emotion"] for number in numbers}) > 1
    for number in numbers if conflicting else numbers[1:]:
        other = next(other for other in numbers if other != number)
        yield number, f"byte-identical to {rows[other]['clip_id']}, {'conflicting labels' if conflicting else 'same label'}"


def misnamed(table: pa.Table) -> list[tuple[str, str]]:
    """Return path and clip of every file whose name differs from that of its clip, for example by a missing letter.

    A name with a prefix, such as ``DC_a01.wav`` for SAVEE's ``DC/a01``, belongs to another layout and is no error.
    """
    pairs = zip(table["path"].to_pylist(), table["clip_id"].to_pylist(), strict=True)
    return [(path, clip) for path, clip in pairs if not PurePosixPath(path).stem.endswith(PurePosixPath(clip).name)]


def summary(table: pa.Table, title: str, expected: int) -> Iterator[str]:
    """Yield lines with the numbers of clips found, expected, misnamed, kept, and excluded by reason with the first few clips."""
    gone, odd = excluded(table), misnamed(table)
    kinds = defaultdict(list)
    for clip, reason in gone:
        kinds[re.sub(r"\b(of|to) [^\s,]+", r"\1 another", reason)].append(clip)
    yield title
    yield f"  found     {table.num_rows:6d} files, {len(set(table['clip_id'].to_pylist()))} clips"
    yield f"  expected  {expected:6d} clips"
    if odd:
        yield f"  misnamed  {len(odd):6d}  {', '.join(f'{path} is {clip}' for path, clip in odd[:6])}{', ...' if len(odd) > 6 else ''}"
    yield f"  kept      {table.num_rows - len(gone):6d}"
    yield f"  excluded  {len(gone):6d}"
    for kind, clips in sorted(kinds.items()):
        yield f"    {len(clips)}  {kind}: {', '.join(clips[:6])}{', ...' if len(clips) > 6 else ''}"
