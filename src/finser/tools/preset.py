"""`finser preset` and `finser migrate`: write params.yaml, and local.yaml for paths of this machine."""

from collections.abc import Collection
from pathlib import Path

from finser.config import locations, presets
from finser.config.dump import dump
from finser.config.migrate import convert, old_keys
from finser.config.params import Params, load, validate
from finser.config.reading import read
from finser.config.sections.fetch import Local
from finser.corpora.known import registry
from finser.corpora.local import check_complete, clips, find, speakers, survey, unknown_folders
from finser.errors import FinserError, FinserErrors
from finser.progress import say

FEWEST = 3  # speakers: for training, validation and test
WANTED = {
    **dict.fromkeys(("ravdess", "encoders", "finetune"), ("ravdess",)),
    "paper": None,
    "local": None,
}  # corpora of a preset; None: all


def make(name: str, folder: Path | None = None, allow_partial: bool = False) -> tuple[str, str]:
    """Return the texts of params.yaml and local.yaml of a preset; the second is empty if no corpus is local.

    Raises
    ------
    FinserError
        The name is unknown; a folder is missing, or is given without need; or corpora are incomplete or have too few speakers.
    """
    presets.check_name(name, folder=folder is not None)
    if folder is None:
        if allow_partial:
            raise FinserError("--allow-partial is about a folder, and there is none", do="finser preset local PATH --allow-partial")
        return dump(presets.make(name)), ""
    paths, sources = found(folder, WANTED[name], allow_partial=allow_partial)
    if WANTED[name] and not paths:
        raise FinserError("no RAVDESS here", where=folder, expected="a folder RAVDESS")
    made = presets.make(name, sources)
    if name == "local":
        check_speakers(made, paths, folder)
        made = with_emotions(made)
    return dump(made), locations.merged(locations.load(), corpora=paths)


def found(folder: Path, wanted: Collection[str] | None = None, *, allow_partial: bool) -> tuple[dict[str, Path], dict[str, Local]]:
    """Return paths and sources of the `wanted` corpora (all by default) in `folder`; log which are used and which are left out.

    Raises
    ------
    FinserErrors
        Corpora are incomplete, or have faulty files; all of them are listed.
    """
    paths, sources, ignored, wrong = {}, {}, unknown_folders(folder), []
    for corpus, path in find(folder).items():
        if wanted and corpus not in wanted:
            ignored.append(path.name)
            continue  # a corpus that no stage reads may be incomplete
        try:
            paths[corpus], sources[corpus] = path.resolve(), _source(path, corpus, allow_partial)
        except FinserError as error:
            wrong.append(error)
    if wrong:
        raise FinserErrors(wrong)
    if ignored:
        say(f"{folder}: left out, because this preset takes no such corpus: {', '.join(sorted(ignored))}")
    return paths, sources


def _source(path: Path, corpus: str, allow_partial: bool) -> Local:
    """Return the source of one corpus, and log its numbers of files and clips."""
    files, _ = survey(path, corpus)
    expected = check_complete(path, Local(allow_partial=allow_partial), corpus, do="complete it, or accept it: --allow-partial")
    distinct = len(clips(path, corpus))  # a repack may hold each clip twice
    accepted = ", accepted as partial" if distinct < expected else ""
    say(f"{corpus}: {path}: {files:,} files, {distinct:,} of {expected:,} clips{accepted}")
    return Local(allow_partial=allow_partial and distinct < expected)


def with_emotions(made: Params) -> Params:
    """Return `made` without the emotions that none of its pooled corpora has."""
    there = {emotion for corpus in made.pooled for emotion in registry.CORPORA[corpus].emotions}
    return made.model_copy(update={"emotions": tuple(emotion for emotion in made.emotions if emotion in there)})


def check_speakers(made: Params, paths: dict[str, Path], folder: Path) -> None:
    """Raise an error if no corpus has enough speakers for a split, or if a corpus for training FINs has too few."""
    if all(len(speakers(path, corpus)) < FEWEST for corpus, path in paths.items()):
        expected = "a corpus of three or more speakers, to train, validate and test on"
        raise FinserError("too few speakers", where=folder, expected=expected, do="add another corpus")
    (fin_corpus,) = made.train_fin.data.corpora
    if fin_corpus in paths and len(speakers(paths[fin_corpus], fin_corpus)) < FEWEST:
        expected = "three or more, since FINs are trained on it here"
        raise FinserError(f"too few speakers of {fin_corpus}", where=paths[fin_corpus], expected=expected, do=f"leave {fin_corpus} out")


def migrated(path: Path) -> tuple[str, str]:
    """Convert a file of an earlier format to the texts of params.yaml and local.yaml.

    Raises
    ------
    FinserError
        The file already has the present format, or its values violate the schema.
    """
    values = read(path)
    if not old_keys(values):
        load(path)  # says what is wrong with it
        raise FinserError("has the present format already", where=path, do="nothing to migrate")
    new, places = convert(values)
    return dump(validate(new, path)), locations.merged(locations.load(), **places) if places else ""
