"""Stage `index`: one row per audio file found, good or not, and why not.

A file that cannot be right (truncated, unreadable, empty, a Git LFS pointer, an unknown code in its name) stops the stage: the
copy is to be mended first. A file that is right but useless (silent, a duplicate) is kept in the index with its reason.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from finser import layout
from finser.corpora import complete, local, registry
from finser.corpora.utterance import Corpus, Utterance
from finser.errors import FinserError
from finser.files import checksum, whole_file
from finser.params import Params
from finser.progress import say, track
from finser.workers import map_in_order

CLIPS_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("corpus", pa.string()),
        ("path", pa.string()),  # relative to data/raw/CORPUS
        ("sha256", pa.string()),
        ("speaker", pa.string()),
        ("sex", pa.string()),
        ("language", pa.string()),
        ("emotion", pa.string()),
        ("publisher_label", pa.string()),
        ("intensity", pa.string()),
        ("sentence", pa.string()),
        ("sample_rate", pa.int32()),  # Hz
        ("channels", pa.int32()),
        ("n_samples", pa.int64()),  # per channel
        ("seconds", pa.float64()),
        ("peak", pa.float64()),  # of full scale 1, over all channels
        ("rms", pa.float64()),  # the same
        ("status", pa.string()),  # ok, excluded
        ("reason", pa.string()),  # "" when ok
    ]
)
BLOCK = 2**16  # frames read at once
CONTAINERS = {b"RIFF": "<", b"FORM": ">"}  # wav and AIFF: byte order of the sizes of their chunks


@dataclass(frozen=True)
class Sound:
    """What one audio file holds; `peak` and `rms` are of full scale 1, over all channels."""

    sha256: str
    sample_rate: int
    channels: int
    n_samples: int
    seconds: float
    peak: float
    rms: float


def index(params: Params, corpus: str) -> None:
    """Write data/clips/CORPUS.parquet and print how many clips were found, expected, misnamed, kept, and excluded by reason.

    Raises
    ------
    FinserError
        Clips are missing (and `allow_partial` is not set), too many, or a file among them cannot be right.
    """
    root, source, known = layout.raw(corpus), params.fetch[corpus], registry.get(corpus)
    if not root.is_dir():
        raise FinserError("no such folder", where=root, do=f"run first: finser fetch {corpus}")
    paths = local.audio_files(root)
    utterances = _with_texts([known.parse(path) for path in paths], paths, root, known)
    expected = complete.check(utterances, source, known, root)
    sounds = track(map_in_order(measure, [root / path for path in paths]), f"reading {corpus}", total=len(paths))
    rows = [{**asdict(said), "path": str(path), **asdict(sound)} for path, said, sound in zip(paths, utterances, sounds, strict=True)]
    for row, reason in zip(rows, exclusions(rows, params.index.silence_peak), strict=True):
        row.update(status="excluded" if reason else "ok", reason=reason)
    table = pa.Table.from_pylist(rows, CLIPS_SCHEMA)
    with whole_file(layout.clips(corpus)) as partial:
        pq.write_table(table, partial)
    print("\n".join(summary(table, known.title, expected)))


def read_clips(corpus: str) -> pa.Table:
    """The index of a corpus, with the columns of :data:`CLIPS_SCHEMA`.

    Raises
    ------
    FinserError
        There is none, or it is no such index.
    """
    path = layout.clips(corpus)
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do=f"run first: finser index {corpus}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise FinserError(f"not readable as Parquet ({error})", where=path, do=f"run again: finser index {corpus}") from None
    if not table.schema.equals(CLIPS_SCHEMA):
        raise FinserError("not an index of clips", where=path, expected=f"columns {', '.join(CLIPS_SCHEMA.names)}")
    return table


def excluded(table: pa.Table) -> list[tuple[str, str]]:
    """Clip and reason of every excluded file of an index, in its order."""
    columns = (table[name].to_pylist() for name in ("status", "clip_id", "reason"))
    return [(clip, reason) for status, clip, reason in zip(*columns, strict=True) if status == "excluded"]


def _with_texts(utterances: list[Utterance], paths: Sequence[PurePosixPath], root: Path, known: Corpus) -> list[Utterance]:
    """The same utterances with the text of their sentence where the corpus comes with transcripts."""
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


def measure(path: Path) -> Sound:
    """Read an audio file to its end.

    Raises
    ------
    FinserError
        It is empty, truncated, unreadable, without samples, or a Git LFS pointer.
    """
    local.size_of_audio(path)
    check_whole(path)
    peak, squares, n_samples = 0.0, 0.0, 0
    try:
        with soundfile.SoundFile(path) as file:
            for block in file.blocks(BLOCK, dtype="float64", always_2d=True):  # (frames, channels)
                peak = max(peak, float(np.abs(block).max()))
                squares += float(np.square(block).sum())
                n_samples += len(block)
            promised, rate, channels = file.frames, file.samplerate, file.channels
    except (soundfile.SoundFileError, OSError) as error:
        raise FinserError(f"not readable as audio ({error})", where=path) from None
    if n_samples == 0 or n_samples != promised:
        raise FinserError("truncated audio", where=path, expected=f"{promised or 'some'} samples", found=n_samples)
    if not np.isfinite(squares):
        raise FinserError("samples that are no numbers", where=path)
    rms = float(np.sqrt(squares / (n_samples * channels)))
    return Sound(checksum(path), rate, channels, n_samples, n_samples / rate, peak, rms)


def check_whole(path: Path) -> None:
    """Refuse a wav or AIFF file whose header promises more audio than the file holds (libsndfile would read what is there)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        order = CONTAINERS.get(file.read(4))
        position = 12
        while order and position + 8 <= size:
            file.seek(position)
            name, length = struct.unpack(f"{order}4sI", file.read(8))
            if name in (b"data", b"SSND"):
                if position + 8 + length > size:
                    raise FinserError(
                        "truncated audio",
                        where=path,
                        expected=f"{length} bytes of samples",
                        found=size - position - 8,
                        do="copy or download it again",
                    )
                return
            position += 8 + length + length % 2  # chunks start at even positions


def exclusions(rows: Sequence[dict], silence_peak: float) -> list[str]:
    """Why each clip is excluded, or "".

    Parameters
    ----------
    rows : sequence of dict
        clip_id, path, sha256, emotion and peak of each file, sorted by path.
    silence_peak : float
        A clip whose peak is not above this is silent.

    Raises
    ------
    FinserError
        Two files are the same clip with different bytes.
    """
    reasons = [""] * len(rows)
    first: dict[str, dict] = {}
    alike = defaultdict(list)
    for number, row in enumerate(rows):
        original = first.setdefault(row["clip_id"], row)
        if original is not row:
            if original["sha256"] != row["sha256"]:
                raise FinserError(f"another file is the same clip with other bytes: {original['path']}", where=row["path"], do="remove one")
            reasons[number] = f"second copy of {row['clip_id']}"
        elif row["peak"] <= silence_peak:
            reasons[number] = f"silent: peak {row['peak']:g}"
        else:
            alike[row["sha256"]].append(number)
    for numbers in alike.values():
        for number, reason in _duplicates(numbers, rows):
            reasons[number] = reason
    return reasons


def _duplicates(numbers: Sequence[int], rows: Sequence[dict]) -> Iterator[tuple[int, str]]:
    """Which of these byte-identical clips to exclude: all if their labels conflict, all but the first if they agree.

    The first is that by clip_id, which is the same in every repack; the order of paths is not.
    """
    numbers = sorted(numbers, key=lambda number: rows[number]["clip_id"])
    conflicting = len({rows[number]["emotion"] for number in numbers}) > 1
    for number in numbers if conflicting else numbers[1:]:
        other = next(other for other in numbers if other != number)
        yield number, f"byte-identical to {rows[other]['clip_id']}, {'conflicting labels' if conflicting else 'same label'}"


def misnamed(table: pa.Table) -> list[tuple[str, str]]:
    """Path and clip of every file whose name is not that of its clip: a letter is missing, say.

    A name that only begins with more, as ``DC_a01.wav`` for SAVEE's ``DC/a01``, belongs to another layout and is none.
    """
    pairs = zip(table["path"].to_pylist(), table["clip_id"].to_pylist(), strict=True)
    return [(path, clip) for path, clip in pairs if not PurePosixPath(path).stem.endswith(PurePosixPath(clip).name)]


def summary(table: pa.Table, title: str, expected: int) -> Iterator[str]:
    """Lines that say what was found, expected, misnamed, kept, and excluded by reason with the first few clips."""
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
