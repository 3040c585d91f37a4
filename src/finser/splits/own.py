"""Protocols `own` and `own_leaky`: the parts or folds that the tables of own corpora, or a file of folds, state.

A column ``split`` (train, validation, test) is fold 1. A column ``fold`` gives the fold in which a clip is tested on; in other folds, it is
in training or validation. Corpora that state neither are split as under `speaker`. Under `own`, a speaker in two parts is an error;
`own_leaky` accepts it, and is marked as leaky in every output.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finser import seeds
from finser.config.inputs import check_folds
from finser.config.sections.split import OwnFolds, Split
from finser.corpora.tables.folds import MOST_FOLDS, fold_number
from finser.errors import FinserError
from finser.files import why
from finser.progress import say
from finser.splits.groups import PublishedFolds, speaker_split, strata_of_corpora, validation_group
from finser.splits.table import ROLES

KEYS, VALUES = ("clip_id", "speaker"), ("fold", "split")  # columns of a file of folds: one of the first, one of the second
STATED = {"part": "column split", "fold": "column fold"}


@dataclass(frozen=True)
class Stated:
    """What is stated of the clips of one corpus.

    Attributes
    ----------
    source : str
        Where it is stated, for the report.
    parts : dict of str to str
        Part by clip_id, if parts are stated.
    folds : dict of str to int
        Fold in which a clip is tested on, by clip_id, if folds are stated.
    """

    source: str
    parts: Mapping[str, str]
    folds: Mapping[str, int]

    @property
    def count(self) -> int:
        """Number of folds."""
        return max(self.folds.values()) if self.folds else 1


def own_split(
    clips: pa.Table, published: dict[str, PublishedFolds], options: Split, seed: int, indexed: pa.Table | None = None
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Assign roles as stated; parameters and results as those of :func:`finser.splits.groups.speaker_split`.

    `clips` also has the columns part and fold. There are as many folds as every corpus with a statement has; ``split.folds`` has no effect.
    `indexed` has clip_id and speaker of all clips that the file of folds may name, with those that are not used; default: `clips`.

    Raises
    ------
    FinserError
        No corpus states a split, folds are not numbered 1, 2, ..., or the file of folds is faulty.
    """
    stated = _of_columns(clips)
    if options.own:
        stated |= _of_file(clips, options.own, clips if indexed is None else indexed)
    if not stated:
        do = "give a table of an own corpus a column split or fold, or name a file of folds: split.own in params.yaml"
        raise FinserError("no corpus of pooled states a split", where="protocol own", do=do)
    for corpus, one in stated.items():
        _check_numbers(corpus, one)
    n_folds = min(one.count for one in stated.values())
    rest = clips.filter(pc.invert(pc.is_in(clips["corpus"], pa.array(list(stated)))))
    roles, sources = speaker_split(rest, published, options.model_copy(update={"folds": n_folds}), seed)
    for corpus, one in stated.items():
        sources[corpus] = one.source if one.count == n_folds else f"{one.source}, {n_folds} of {one.count} folds"
        own = clips.filter(pc.equal(clips["corpus"], corpus))
        for fold in range(1, n_folds + 1):
            of_fold = _roles(own, one, options, fold, seeds.generator(seed, "own", fold, corpus))
            roles[fold - 1] |= of_fold
            if "test" not in of_fold.values():
                say(f"{corpus} has no test clip in fold {fold}: {one.source}")
    return roles, {corpus: sources[corpus] for corpus in dict.fromkeys(clips["corpus"].to_pylist())}


def _of_columns(clips: pa.Table) -> dict[str, Stated]:
    """Return what the tables of own corpora state, by corpus."""
    stated = {}
    for corpus in dict.fromkeys(clips["corpus"].to_pylist()):
        rows = clips.filter(pc.equal(clips["corpus"], corpus)).select(["clip_id", "part", "fold"]).to_pylist()
        parts = {row["clip_id"]: row["part"] for row in rows if row["part"]}
        folds = {row["clip_id"]: row["fold"] for row in rows if row["fold"] is not None}
        if parts and folds:
            raise FinserError("states split and fold", where=corpus, do="keep one of the two columns of its table")
        if parts or folds:
            stated[corpus] = Stated(STATED["part" if parts else "fold"], parts, folds)
    return stated


def _of_file(clips: pa.Table, own: OwnFolds, indexed: pa.Table) -> dict[str, Stated]:
    """Return what a file of folds states, by corpus."""
    check_folds(own)
    key, value, cells = _read(Path(own.file))
    named, usable = cells.keys(), dict(zip(clips["clip_id"].to_pylist(), clips[key].to_pylist(), strict=True))
    strange = sorted(named - set(indexed[key].to_pylist()))
    if strange:
        what = f"{len(strange)} names of no clip of the pooled corpora, e.g. {strange[0]}"
        raise FinserError(what, where=own.file, expected=f"{key} as in data/clips, e.g. {next(iter(usable.values()), '?')}")
    unused = len(named - set(usable.values()))
    if unused:
        say(f"{own.file}: {unused:,} of {len(cells):,} rows are of clips that are excluded, or of emotions that are left out")
    given = {clip: cells[name] for clip, name in usable.items() if name in cells}
    stated = {}
    corpora = dict(zip(indexed[key].to_pylist(), indexed["corpus"].to_pylist(), strict=True))
    for corpus in dict.fromkeys(corpora[name] for name in cells):
        texts = {clip: text for clip, text in given.items() if clip.split("/")[0] == corpus}
        numbers = {clip: fold_number(text) for clip, text in texts.items()} if value == "fold" else {}
        stated[corpus] = Stated(own.file, {} if numbers else texts, numbers)
    return stated


def _read(path: Path) -> tuple[str, str, dict[str, str]]:
    """Return the names of the two columns of a file of folds, and its content."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FinserError(f"not readable as CSV ({why(error)})", where=path) from None
    names = reader.fieldnames or []
    keys, values = ([name for name in names if name in some] for some in (KEYS, VALUES))
    if len(keys) != 1 or len(values) != 1:
        raise FinserError("other columns", where=path, expected="clip_id or speaker, and fold or split", found=", ".join(names))
    (key,), (value,) = keys, values
    allowed = ROLES if value == "split" else None
    wrong = [line for line, row in rows if not _valid(row[key], row[value], allowed)]
    if wrong:
        expected = f"{key}, and {'one of ' + ', '.join(ROLES) if allowed else f'a whole number from 1 to {MOST_FOLDS}'}"
        raise FinserError(f"faulty lines {', '.join(map(str, wrong[:10]))} ({len(wrong)} in all)", where=path, expected=expected)
    cells = {row[key]: row[value] for _, row in rows}
    if len(cells) < len(rows):
        raise FinserError(f"names a {key} twice", where=path, expected=f"{len(rows)} different ones", found=len(cells))
    return key, value, cells


def _valid(name: str | None, text: str | None, allowed: Sequence[str] | None) -> bool:
    if not name or not text:
        return False
    return text in allowed if allowed else fold_number(text) is not None


def _check_numbers(corpus: str, stated: Stated) -> None:
    missing = sorted(set(range(1, stated.count + 1)) - set(stated.folds.values())) if stated.folds else []
    if missing or (stated.folds and stated.count < 2):
        found = ", ".join(map(str, sorted(set(stated.folds.values()))))
        raise FinserError(
            f"{corpus}: folds are not numbered 1, 2, ...", where=stated.source, expected="two or more, none left out", found=found
        )


def _roles(clips: pa.Table, stated: Stated, options: Split, fold: int, rng: np.random.Generator) -> dict[str, str]:
    """Return the role of each clip of a corpus in a fold; validation speakers are drawn unless parts state them."""
    ids, speakers = clips["clip_id"].to_pylist(), clips["speaker"].to_pylist()
    roles = dict(stated.parts) if stated.parts else {clip: "test" if stated.folds.get(clip) == fold else "train" for clip in ids}
    if "validation" in roles.values():
        return roles
    trained = {speaker for clip, speaker in zip(ids, speakers, strict=True) if roles.get(clip) == "train"}
    strata = {speaker: stratum for corpus in strata_of_corpora(clips).values() for speaker, stratum in corpus.items() if speaker in trained}
    drawn = set(validation_group(strata, (), options.speaker_validation, rng)) if strata else set()
    moved = {clip for clip, speaker in zip(ids, speakers, strict=True) if roles.get(clip) == "train" and speaker in drawn}
    return {clip: "validation" if clip in moved else role for clip, role in roles.items()}
