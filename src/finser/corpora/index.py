"""Stage `index`: one row per audio file found, with a status and a reason for exclusion.

A faulty file (truncated, unreadable, empty, a Git LFS pointer) stops the stage, which lists all such files, unless ``index.unreadable`` is
`exclude`; so does a name with an unknown code. An intact file that cannot be used (silent, a duplicate) stays in the index with the reason.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Local, Source, Table
from finser.corpora import faults, local
from finser.corpora.clips import CLIPS_SCHEMA
from finser.corpora.counts import expected_count
from finser.corpora.entries import Clip, leave_out, listed_clips, named_clips, unmatched
from finser.corpora.known import registry
from finser.corpora.provenance import provenance
from finser.corpora.segments import TOLERANCE
from finser.corpora.sounds import USED, measure_parts
from finser.corpora.tables.listing import AUDIO
from finser.errors import FinserError
from finser.files import whole_file
from finser.progress import track
from finser.workers import map_in_order


def index(params: Params, corpus: str) -> None:
    """Write data/clips/CORPUS.parquet, and print how many clips were found, expected, misnamed, kept, and excluded by reason.

    Raises
    ------
    FinserError
        Clips are missing (and `allow_partial` is not set), there are too many, or (unless ``index.unreadable`` is `exclude`) a file is
        faulty.
    """
    root, source, options = layout.raw(corpus), params.fetch[corpus], params.index
    if not root.is_dir():
        raise FinserError("no such folder", where=root, do=f"run first: finser fetch {corpus}")
    own = isinstance(source, Table)
    clips = listed_clips(root, source, corpus, params.emotions) if own else named_clips(root, source, corpus)
    leave_out(clips, corpus, options)
    where = origin(source, corpus, root)
    _measure(clips, root, where, f"reading {corpus}")
    if options.unreadable == "refuse":
        copied = isinstance(source, Local | Table)
        again = f"after a repair run: dvc repro --force --single-item fetch@{corpus}; " if copied else ""
        faults.refuse([clip.fault for clip in clips if clip.fault], where, f"{again}or exclude such files: index.unreadable in params.yaml")
    rows = [clip.row() for clip in clips]
    faults.refuse(clashes(rows, where), where)
    for row, reason in zip(rows, exclusions(rows, options.silence_peak), strict=True):
        row.update(status="excluded" if reason else "ok", reason=reason)
    table = pa.Table.from_pylist(rows, CLIPS_SCHEMA)
    with whole_file(layout.clips(corpus)) as partial:
        pq.write_table(table, partial)
    expected = None if own else expected_count(source, corpus, [row["speaker"] for row in rows])
    print("\n".join([*summary(table, provenance(source, corpus)["title"], expected), *unmatched(clips, corpus, options)]))


def _measure(clips: Sequence[Clip], root: Path, where: Path, what: str) -> None:
    """Measure the clips without a reason for exclusion; each file is checked once, whatever its number of clips."""
    by_file: dict[PurePosixPath, list[Clip]] = defaultdict(list)
    for clip in clips:
        if not clip.reason:
            by_file[clip.file].append(clip)
    jobs = [(root / file, where / parts[0].path, [clip.span for clip in parts]) for file, parts in by_file.items()]
    for parts, sounds in zip(by_file.values(), track(map_in_order(measure_parts, jobs), what, total=len(jobs)), strict=True):
        for clip, sound in zip(parts, sounds, strict=True):
            clip.sound = sound


def excluded(table: pa.Table) -> list[tuple[str, str]]:
    """Return clip and reason of every excluded file of an index, in its order."""
    columns = (table[name].to_pylist() for name in ("status", "clip_id", "reason"))
    return [(clip, reason) for status, clip, reason in zip(*columns, strict=True) if status == "excluded"]


def origin(source: Source, corpus: str, root: Path) -> Path:
    """Return the user's folder of the recordings in data/raw/CORPUS if it is known, else the folder in data/raw."""
    if isinstance(source, Table):
        return locations.root(corpus) if corpus in locations.load().corpora else root / AUDIO
    return (local.known_folder(corpus) if isinstance(source, Local) else None) or root


def clashes(rows: Sequence[dict], folder: Path) -> list[FinserError]:
    """Return an error for every file below `folder` that is the same clip as an earlier one, with other bytes."""
    first: dict[str, dict] = {}
    pairs = [(first.setdefault(row["clip_id"], row), row) for row in rows]
    return [
        FinserError(f"another file is the same clip with other bytes: {one['path']}", where=folder / other["path"], do="remove one")
        for one, other in pairs
        if one["sha256"] != other["sha256"] and one["sha256"] and other["sha256"]
    ]


def exclusions(rows: Sequence[dict], silence_peak: float) -> list[str]:
    """Return the reason for exclusion of each clip, or "".

    Parameters
    ----------
    rows : sequence of dict
        clip_id, path, emotion, reason and the properties of :class:`finser.corpora.sounds.Sound` of each clip, in order. A clip with a
        reason was not read, and keeps it.
    silence_peak : float
        A clip is silent unless its peak, after conversion, is above this.
    """
    reasons = [""] * len(rows)
    first: dict[str, dict] = {}
    alike = defaultdict(list)
    for number, row in enumerate(rows):
        original = row if row["reason"] else first.setdefault(row["clip_id"], row)
        if row["reason"]:
            reasons[number] = row["reason"]
        elif original is not row:
            reasons[number] = f"second copy of {row['clip_id']}"
        elif useless := _useless(row, silence_peak):
            reasons[number] = useless
        else:
            alike[row["sha256"]].append(number)
    for numbers in alike.values():
        for number, reason in _duplicates(_sharing(numbers, rows), rows):
            reasons[number] = reason
    return reasons


def _sharing(numbers: Sequence[int], rows: Sequence[dict]) -> dict[int, list[int]]:
    """Return, for each clip of byte-identical files, those that it shares audio with."""
    found: dict[int, list[int]] = {number: [] for number in numbers}
    open_: list[int] = []  # clips that have not ended yet
    for number in sorted(numbers, key=lambda number: rows[number]["first"]):
        row = rows[number]
        open_ = [other for other in open_ if rows[other]["first"] + rows[other]["n_samples"] > row["first"]]
        for other in open_:
            if _share_audio(rows[other], row):
                found[other].append(number)
                found[number].append(other)
        open_.append(number)
    return found


def _useless(row: dict, silence_peak: float) -> str:
    """Return why a clip cannot be used, or ""."""
    if row["peak"] <= silence_peak:
        return f"silent: peak {row['peak']:g}"
    if row["used"] is None:
        return f"too short: no sample is left at {USED.sr} Hz"
    return f"silent as {USED.sr} Hz, mono, 16 bit" if row["used"] <= silence_peak else ""


def _duplicates(sharing: dict[int, list[int]], rows: Sequence[dict]) -> Iterator[tuple[int, str]]:
    """Yield the clips to exclude: those that share audio with a clip of another label, or with an earlier one that is kept.

    Earlier is in the order of clip_ids. That order is the same in every repack; the order of paths is not.
    """
    kept: set[int] = set()
    for number in sorted(sharing, key=lambda number: rows[number]["clip_id"]):
        row, others = rows[number], sorted(sharing[number], key=lambda other: rows[other]["clip_id"])
        conflicting = [other for other in others if rows[other]["emotion"] != row["emotion"]]
        same = [other for other in others if other in kept]
        for other in [*conflicting, *same][:1]:
            identical = all(rows[other][key] == row[key] for key in ("first", "n_samples"))
            labels = "conflicting labels" if conflicting else "same label"
            yield number, f"{'byte-identical to' if identical else 'shares audio with'} {rows[other]['clip_id']}, {labels}"
        kept |= set() if conflicting or same else {number}


def _share_audio(one: dict, other: dict) -> bool:
    """Return whether two parts of byte-identical files overlap, by more than a table may round."""
    shorter, end = min(one["n_samples"], other["n_samples"]), min(row["first"] + row["n_samples"] for row in (one, other))
    return end - max(one["first"], other["first"]) > min(TOLERANCE * one["sample_rate"], shorter / 2)


def misnamed(table: pa.Table) -> list[tuple[str, str]]:
    """Return path and clip of every file whose name differs from that of its clip, for example by a missing letter.

    Files of a table are never misnamed. A name with a prefix, such as ``DC_a01.wav`` for SAVEE's ``DC/a01``, belongs to another layout and
    is no error.
    """
    pairs = zip(table["path"].to_pylist(), table["clip_id"].to_pylist(), table["corpus"].to_pylist(), strict=True)
    return [
        (path, clip)
        for path, clip, corpus in pairs
        if corpus in registry.CORPORA and not PurePosixPath(path).stem.endswith(PurePosixPath(clip).name)
    ]


def _kind(reason: str) -> str:
    """Return a reason for exclusion without what differs between clips."""
    if reason.startswith("unreadable"):
        return "unreadable"
    return re.sub(r"^(second copy of|byte-identical to|shares audio with) [^,]+", r"\1 another", reason)


def summary(table: pa.Table, title: str, expected: int | None) -> Iterator[str]:
    """Yield lines with the numbers of clips found, expected, misnamed, kept, and excluded by reason with the first few clips."""
    gone, odd = excluded(table), misnamed(table)
    kinds = defaultdict(list)
    for clip, reason in gone:
        kinds[_kind(reason)].append(clip)
    yield title
    yield f"  found     {len(set(table['path'].to_pylist())):6d} files, {len(set(table['clip_id'].to_pylist()))} clips"
    if expected is not None:
        yield f"  expected  {expected:6d} clips"
    if odd:
        yield f"  misnamed  {len(odd):6d}  {', '.join(f'{path} is {clip}' for path, clip in odd[:6])}{', ...' if len(odd) > 6 else ''}"
    yield f"  kept      {table.num_rows - len(gone):6d}"
    yield f"  excluded  {len(gone):6d}"
    for kind, clips in sorted(kinds.items()):
        yield f"    {len(clips)}  {kind}: {', '.join(clips[:6])}{', ...' if len(clips) > 6 else ''}"
