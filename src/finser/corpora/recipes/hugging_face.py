"""Data sets of the Hugging Face Hub whose Parquet files contain the audio, in a column of the type Audio (struct<bytes, path>).

The audio of ``data/train-00000-of-00001.parquet`` is written, unchanged, to ``audio/data/train-00000-of-00001/000000.wav`` and so on. The
suffix follows from the first bytes. The paths inside the Parquet files are not used: they may point anywhere. A column of the type
ClassLabel holds numbers; the names are in the file's metadata (key ``huggingface``, JSON, info.features.COLUMN.names). The split is the
first word of a file's or folder's name (train, validation, dev, test), if the files have several. Files are read one row group at a time.

Sources: https://huggingface.co/docs/datasets/about_dataset_features and https://huggingface.co/docs/hub/datasets-audio; the metadata were
compared with those that the library ``datasets`` 5.2 writes.

Not verified: Parquet files of the Hub itself. Files converted by the Hub (``default/train/0000.parquet``) should be read likewise.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pyarrow
from pyarrow import parquet

from finser.corpora.folders import files_under
from finser.corpora.recipes.checks import known, no_layout, refuse
from finser.errors import FinserError
from finser.files import whole_folder, why
from finser.progress import say, track

EMOTIONS: dict[str, str | None] = {}  # every data set has labels of its own
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test"}
SEX = {"male": "male", "m": "male", "man": "male", "female": "female", "f": "female", "woman": "female", "": "", "unknown": "", "other": ""}


def rows(
    folder: Path,
    into: str = "audio",
    *,
    audio: str = "audio",
    emotion: str = "emotion",
    speaker: str = "speaker",
    sex: str = "",
    sentence: str = "",
    intensity: str = "",
    language: str = "",
) -> Iterator[dict[str, str]]:
    """Write the audio of every Parquet file under `folder` to files, and yield a row for each.

    The folder of audio files appears when all are written; a run that is stopped leaves nothing.

    Parameters
    ----------
    folder : Path
        The download of the data set.
    into : str, optional
        Name of the folder for the audio files, which is made in `folder`.
    audio, emotion, speaker : str, optional
        The columns of the data set.
    sex, sentence, intensity : str, optional
        Further columns; "" for those that the data set does not have.
    language : str, optional
        ISO 639-1 code of the language of all clips.

    Raises
    ------
    FinserError
        There is no Parquet file, a column is missing, a row lacks audio or a label, the audio has an unknown format, or the folder of audio
        files is not empty.
    """
    columns = {"emotion": emotion, "speaker": speaker, "sex": sex, "sentence": sentence, "intensity": intensity}
    columns = {ours: theirs for ours, theirs in columns.items() if theirs}
    names = sorted(files_under(folder, (".parquet",)), key=str)
    if not names:
        raise no_layout(folder, "a data set of the Hub", "Parquet files", "no .parquet file")
    target = folder / into
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FinserError("exists already", where=target, do="delete it to write the audio again")
    splits = splits_of(names)
    labels = {name: _labels(folder / name, audio, columns) for name in names}
    _complete(labels, folder)
    with whole_folder(target) as partial:
        for name in track(names, "writing audio"):
            written = _write(folder / name, audio, partial / name.with_suffix(""))
            for path, row in zip(written, labels[name], strict=True):
                place = f"{into}/{path.relative_to(partial).as_posix()}"
                yield {"path": place} | _row(row, place) | {"language": language, "split": splits[name]}


def splits_of(names: Sequence[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Return the published split of each Parquet file; "" if all files are of one split, or if a name does not tell it."""
    found = {}
    for name in names:
        words = [part.lower().partition(".")[0].partition("-")[0] for part in reversed(name.parts)]
        found[name] = next((SPLITS[word] for word in words if word in SPLITS), "")
    if not all(found.values()) and any(found.values()):
        unknown = next(name for name in names if not found[name])
        say(f"the table has no column split: the name of {unknown} states none of {', '.join(SPLITS)}")
    return found if len(set(found.values())) > 1 and all(found.values()) else dict.fromkeys(names, "")


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """Return the names of the classes of every column of the type ClassLabel."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}  # written by another library: labels are text
    return {name: one["names"] for name, one in features.items() if isinstance(one, Mapping) and one.get("_type") == "ClassLabel"}


def _labels(path: Path, audio: str, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the labels of every row of a Parquet file, by our names; "" for what a row lacks."""
    file = _open(path)
    missing = [name for name in (audio, *columns.values()) if name not in file.schema_arrow.names]
    if missing:
        raise FinserError("columns are missing", where=path, expected=", ".join(missing), found=", ".join(file.schema_arrow.names))
    if not _is_audio(file.schema_arrow.field(audio).type):
        raise FinserError(
            f"no audio in column '{audio}'", where=path, expected="struct<bytes, path>", found=file.schema_arrow.field(audio).type
        )
    names = class_names(file.schema_arrow)
    table = _read(file, path, list(dict.fromkeys(columns.values())))
    values = {ours: [_text(value, names.get(theirs), path) for value in table[theirs].to_pylist()] for ours, theirs in columns.items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _text(value: object, names: Sequence[str] | None, where: Path) -> str:
    """Return a value as text: the name of a class for its number, "" for a missing one (-1 is the Hub's number of no class)."""
    if value is None or (names is not None and value == -1):
        return ""
    if names is not None and isinstance(value, int):
        if not 0 <= value < len(names):
            raise FinserError("unknown class", where=where, expected=f"0 to {len(names) - 1}", found=value)
        return names[value]
    return " ".join(str(value).split())


def _complete(labels: Mapping[PurePosixPath, Sequence[Mapping[str, str]]], folder: Path) -> None:
    """Raise an error that counts the rows without an emotion or a speaker."""
    for column in ("emotion", "speaker"):
        lacking = [f"row {number} of {name}" for name, rows_ in labels.items() for number, row in enumerate(rows_) if not row[column]]
        refuse(f"clips without {column}", folder, lacking, "remove these rows, or name another column")


def _row(row: dict[str, str], where: str) -> dict[str, str]:
    """Return the labels of one row, with the sex in our words."""
    return row | ({"sex": known(row["sex"].lower(), SEX, "sex", where)} if "sex" in row else {})


def _write(path: Path, audio: str, folder: Path) -> list[Path]:
    """Write the audio of a Parquet file to numbered files in `folder`; return their paths in order."""
    file = _open(path)
    folder.mkdir(parents=True)
    written = []
    lacking = []
    for group in range(file.num_row_groups):
        for sound in _read(file, path, [audio], group)[audio].to_pylist():
            data = (sound or {}).get("bytes")
            if not data:
                lacking.append(f"row {len(written)}")
            written.append(folder / f"{len(written):06d}{suffix(data, f'{path}: row {len(written)}') if data else ''}")
            if data:
                written[-1].write_bytes(data)
    refuse("clips without audio", path, lacking, "download the version of the data set that contains the audio")
    return written


def suffix(data: bytes, where: object) -> str:
    """Return the suffix of an audio file, from its first bytes.

    Raises
    ------
    FinserError
        They are not those of wav, FLAC, Ogg or MP3.
    """
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return ".wav"
    for start, found in {b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3"}.items():
        if data.startswith(start):
            return found
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # a frame of MPEG audio
        return ".mp3"
    raise FinserError("unknown audio format", where=where, expected="wav, FLAC, Ogg or MP3", found=f"a file that begins with {data[:8]!r}")


def _is_audio(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0


def _open(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise FinserError(f"not a Parquet file ({why(error)})", where=path, do="download it again") from None


def _read(file: parquet.ParquetFile, path: Path, columns: list[str], group: int | None = None) -> pyarrow.Table:
    """Read columns of a Parquet file, or of one row group of it."""
    try:
        return file.read(columns) if group is None else file.read_row_group(group, columns)
    except (OSError, pyarrow.ArrowException) as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path, do="download it again") from None
