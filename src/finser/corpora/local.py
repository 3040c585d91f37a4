"""A corpus in a folder of the user: find it, count its files, copy it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from finser.config import locations
from finser.config.sections.fetch import Source
from finser.corpora import complete, faults
from finser.corpora.folders import AUDIO, audio_files, digest_of_files, files_under, is_litter_name, size_of_audio, unreadable
from finser.corpora.known import registry
from finser.errors import FinserError
from finser.files import check_room, disk_is_full
from finser.progress import track

TEXT = (".csv", ".txt")  # speakers, votes, transcripts, licences: copied beside the audio
COPIED = AUDIO + TEXT
Refuses = Callable[[PurePosixPath], bool]  # whether a fault of a file is an error


def always(_: PurePosixPath) -> bool:
    """Return True: a fault of any file is an error."""
    return True


def folder_of(corpus: str) -> Path:
    """Return the folder of a corpus with a local source, from local.yaml or the environment variable.

    Raises
    ------
    FinserError
        Neither of them sets it.
    """
    path = known_folder(corpus)
    if path is None:
        title = registry.get(corpus).title
        raise FinserError(
            f"contains no path of {title}",
            where=locations.FILE,
            expected=f"`corpora: {{{corpus}: PATH}}`, or {locations.VARIABLE} set to a folder that holds {registry.get(corpus).folder}/",
            do="finser preset local PATH writes it",
        )
    return path


def known_folder(corpus: str) -> Path | None:
    """Return the folder of :func:`folder_of`, or None if none is set."""
    named = locations.load().corpora.get(corpus)
    if named:
        return Path(named).expanduser()
    home = locations.home()
    return find(home).get(corpus) if home else None


def find(root: Path) -> dict[str, Path]:
    """Return the corpora in folders of `root`.

    Folders are recognised by the names RAVDESS, CREMA-D, TESS, SAVEE and ESD, or by names of common repacks. Case, spaces and punctuation
    are ignored: ``crema_d``, ``Crema`` and ``TESS Toronto emotional speech set data`` are recognised, too.

    Raises
    ------
    FinserError
        `root` is no folder, it has none of the five corpora, or two folders have names of the same corpus.
    """
    found: dict[str, Path] = {}
    for folder in _subfolders(root):
        name = _corpus_of(folder)
        if name and name in found:
            do = "move one of them away, or rename it"
            raise FinserError(
                f"two folders of {registry.get(name).title}", where=root, found=f"{found[name].name} and {folder.name}", do=do
            )
        found |= {name: folder} if name else {}
    if not found:
        folders = ", ".join(corpus.folder for corpus in registry.CORPORA.values())
        seen = ", ".join(folder.name for folder in _subfolders(root)) or "no folder"
        raise FinserError("no corpus here", where=root, expected=f"at least one of the folders {folders}", found=seen)
    return {name: found[name] for name in registry.CORPORA if name in found}


def unknown_folders(root: Path) -> list[str]:
    """Return the names of the folders under `root` that belong to no corpus."""
    return [folder.name for folder in _subfolders(root) if not _corpus_of(folder)]


def _subfolders(root: Path) -> list[Path]:
    """Return the folders directly under `root`, sorted; several links to one folder count once, by the first name."""
    if not root.is_dir():
        raise FinserError("no such folder", where=root)
    first: dict[Path, Path] = {}
    for path in sorted(path for path in root.iterdir() if path.is_dir() and not is_litter_name(path.name)):
        first.setdefault(path.resolve(), path)
    return list(first.values())


def _corpus_of(folder: Path) -> str | None:
    """Return the corpus whose folder, or a repack of it, has this name."""
    names = {_plain(name): corpus.name for corpus in registry.CORPORA.values() for name in (corpus.folder, *corpus.repacks)}
    return names.get(_plain(folder.name))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def survey(path: Path, corpus: str, refuses: Refuses = always) -> tuple[int, int]:
    """Return number and total size in bytes of a corpus's audio files under `path`; every name is checked.

    Empty files, Git LFS pointers and HTML pages are errors if `refuses(name)`. Otherwise they count: `index` excludes them.

    Raises
    ------
    FinserError
        There is no audio, or files have names of no clip, are empty, unreadable, or no audio. The error lists them.
    """
    names = audio_files(path)
    if not names:
        raise FinserError(f"no {registry.get(corpus).title} audio here", where=path, expected="files that end in .wav")
    sizes = [_checked(path, name, corpus, refuses(name)) for name in names]
    faults.refuse([size for size in sizes if isinstance(size, FinserError)], path)
    return len(names), sum(sizes)


def _checked(path: Path, name: PurePosixPath, corpus: str, refuse: bool) -> int | FinserError:
    """Return the size of an audio file in bytes, or the error if it is not a file of the corpus."""
    try:
        registry.get(corpus).parse(name)
    except FinserError as error:
        return FinserError(f"{path}/{error}")
    try:
        return size_of_audio(path / name) if refuse else (path / name).stat().st_size
    except FinserError as error:
        return error


def describe(path: Path, corpus: str, refuses: Refuses = always) -> dict[str, int | str]:
    """Return `files` and `bytes` of a local corpus's audio, and `digest` of all files that are copied; as in :func:`survey`."""
    files, size = survey(path, corpus, refuses)
    return {"files": files, "bytes": size, "digest": digest_of_files(path, files_under(path, COPIED))}


def clips(path: Path, corpus: str) -> set[str]:
    """Return the distinct clips below a folder, from the names of its audio files; two copies of a clip count once."""
    return {registry.get(corpus).parse(name).clip_id for name in audio_files(path)}


def speakers(path: Path, corpus: str) -> set[str]:
    """Return the speakers of the audio files below a folder, from their names."""
    return {registry.get(corpus).parse(name).speaker for name in audio_files(path)}


def copy(path: Path, source: Source, corpus: str, folder: Path, refuses: Refuses = always) -> dict[str, int | str]:
    """Copy a corpus's audio and text files from `path` to `folder` with their layout; return the result of :func:`describe`.

    Raises
    ------
    FinserError
        Clips are missing and `allow_partial` is not set, a file does not belong to the corpus, or the disk has too little space.
    """
    found = describe(path, corpus, refuses)
    check_complete(path, source, corpus)
    check_room(folder, int(found["bytes"]))
    for name in track(list(files_under(path, COPIED)), f"copying {corpus}"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path / name, target)
        except OSError as error:
            if disk_is_full(error):
                raise
            unreadable(error, path / name)
    return found


def check_complete(path: Path, source: Source, corpus: str, do: str = "") -> int:
    """Return the number of clips of a complete copy; raise an error for an incomplete one unless `source` allows it."""
    known = registry.get(corpus)
    return complete.check(map(known.parse, audio_files(path)), source, known, path, do)
