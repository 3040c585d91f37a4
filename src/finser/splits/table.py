"""The written split into train, validation and test, and its checks for leaks; finser.splits.protocols makes the split."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout
from finser.config.base import OWN
from finser.corpora.tables.folds import PARTS
from finser.errors import FinserError
from finser.files import why
from finser.seeds import generator

ROLES = PARTS
FINS = "fins"  # the split of the corpora that FINs are trained on, by speaker
LEAKY = {
    "speaker": False,
    "random": True,
    "cross_corpus": False,
    "own": False,
    "own_leaky": True,
    FINS: False,
}  # whether parts share speakers
STATED = "correct the column split or fold of its table (or split.own), or use the protocol own_leaky, which is marked as LEAKY"
AGAIN = "delete the file and run: finser split"
SCHEMA = pa.schema(
    [
        ("fold", pa.int32()),
        ("clip_id", pa.string()),
        ("corpus", pa.string()),
        ("speaker", pa.string()),
        ("emotion", pa.string()),
        ("role", pa.string()),
    ]
)


def check(table: pa.Table, protocol: str) -> None:
    """Raise an error for a split that leaks.

    Raises
    ------
    FinserError
        A cell is empty; a clip or a speaker belongs to another corpus than its row says; in one fold a clip occurs twice, a speaker has two
        roles (all protocols that are not leaky), or a part is empty; under `cross_corpus` a test corpus has another role, too, or a test
        emotion has no training clip; or a role is unknown.
    """
    where = layout.split(protocol)
    _refuse_empty_cells(table, where)
    unknown = set(table["role"].unique().to_pylist()) - set(ROLES)
    if unknown:
        raise FinserError(f"unknown roles {sorted(unknown)}", where=where, expected=", ".join(ROLES))
    _refuse_contradictions(table, where)
    _refuse_twice(table.select(["fold", "clip_id"]), "clip_id", where)
    if not LEAKY[protocol]:
        do = STATED if protocol in OWN else AGAIN
        _refuse_twice(table.group_by(["fold", "speaker", "role"]).aggregate([]).select(["fold", "speaker"]), "speaker", where, do)
    if protocol == "cross_corpus":
        sides = table.select(["fold", "corpus"]).append_column("tests", pc.equal(table["role"], "test"))
        _refuse_twice(sides.group_by(["fold", "corpus", "tests"]).aggregate([]).select(["fold", "corpus"]), "corpus", where)
    parts = table.group_by(["fold", "role"]).aggregate([]).to_pydict()
    there = set(zip(parts["fold"], parts["role"], strict=True))
    for fold in sorted(set(parts["fold"])):
        _refuse_empty([role for role in ROLES if (fold, role) not in there], f"{where} fold {fold}", protocol)
    if protocol == "cross_corpus":
        _refuse_untrained(table, where, AGAIN)
    if not there:
        raise FinserError("no clips", where=where, do="index some corpora first")


def read_split(protocol: str, fold: int) -> pa.Table:
    """Read the rows of one fold, and check them for leaks again; columns as in :data:`SCHEMA`, sorted by clip_id.

    Raises
    ------
    FinserError
        The split or fold is missing, the file is of another protocol, or the split leaks (:func:`check`).
    """
    path = layout.split(protocol)
    if not path.is_file():
        raise FinserError("no such split", where=path, do="run: dvc repro")
    try:
        table = pq.read_table(path).cast(SCHEMA)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FinserError(f"not a split ({why(error)})", where=path, do="run: dvc repro") from None
    found = (pq.read_schema(path).metadata or {}).get(b"protocol", b"?").decode()
    if found != protocol:
        raise FinserError("another protocol", where=path, expected=protocol, found=found)
    _refuse_empty_cells(table, path)  # a row without a fold would be left out silently
    table = table.filter(pc.equal(table["fold"], fold))
    if not table.num_rows:
        do = "see folds in params.yaml, and split.folds, (cross_corpus) pooled or (own) the folds that are stated"
        raise FinserError(f"no fold {fold}", where=path, do=do)
    check(table, protocol)
    return table


def read_parts(protocol: str, fold: int, corpora: Iterable[str]) -> dict[str, pa.Table]:
    """Return the rows of one fold by role, of the given `corpora` only.

    Raises
    ------
    FinserError
        As :func:`read_split`; or, without the other corpora, a part is empty, or (`cross_corpus`) a test emotion has no training clip.
    """
    corpora = list(corpora)
    table = read_split(protocol, fold)
    table = table.filter(pc.is_in(table["corpus"], pa.array(corpora)))
    parts = {role: table.filter(pc.equal(table["role"], role)) for role in ROLES}
    where = f"{layout.split(protocol)} fold {fold}, {', '.join(corpora)}"
    _refuse_empty([role for role, rows in parts.items() if not rows.num_rows], where, protocol)
    if protocol == "cross_corpus":
        _refuse_untrained(table, where, "name a corpus that has it, too: the split was made for all of pooled")
    return parts


def fewer_speakers(train: pa.Table, fraction: float, seed: int, fold: int) -> pa.Table:
    """Return the rows of a `fraction` of each corpus's speakers, at least one.

    Speakers are taken from the beginning of a random order per corpus. A smaller fraction is a subset of a larger one, so that a learning
    curve only adds speakers.
    """
    if fraction == 1:
        return train
    kept: list[str] = []
    for corpus in sorted(set(train["corpus"].to_pylist())):
        speakers = train.filter(pc.equal(train["corpus"], corpus))["speaker"].unique().to_pylist()
        order = generator(seed, "share", fold, corpus).permutation(sorted(speakers)).tolist()
        kept += order[: max(1, round(fraction * len(order)))]
    return train.filter(pc.is_in(train["speaker"], pa.array(kept)))


def folds_source(protocol: str) -> dict[str, str]:
    """Return, per corpus, the source of the test groups of a written split."""
    return json.loads(pq.read_schema(layout.split(protocol)).metadata[b"folds_source"])


def _refuse_untrained(table: pa.Table, where: Path | str, do: str) -> None:
    groups = table.group_by(["fold", "role", "emotion"]).aggregate([]).to_pylist()
    tested, trained = ({(group["fold"], group["emotion"]) for group in groups if group["role"] == role} for role in ("test", "train"))
    for fold, emotion in sorted(tested - trained):
        raise FinserError(f"fold {fold} tests on '{emotion}', which no training clip has", where=where, do=do)


def _refuse_empty_cells(table: pa.Table, where: Path) -> None:
    empty = [name for name in SCHEMA.names if table[name].null_count]
    if empty:
        raise FinserError(f"empty cells in {', '.join(empty)}", where=where, do=AGAIN)


def _refuse_contradictions(table: pa.Table, where: Path) -> None:
    """Check that clips and speakers belong to the corpus of their row: otherwise the same speaker could pass as two."""
    for name in ("clip_id", "speaker"):
        prefix = pc.list_element(pc.split_pattern(table[name], "/", max_splits=1), 0)
        wrong = table.filter(pc.not_equal(prefix, table["corpus"]))
        if wrong.num_rows:
            raise FinserError(f"{name} {wrong[name][0]} in a row of corpus {wrong['corpus'][0]}", where=where, do=AGAIN)


def _refuse_twice(pairs: pa.Table, name: str, where: Path, do: str = AGAIN) -> None:
    counts = pairs.group_by(["fold", name]).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1)).sort_by([("fold", "ascending"), (name, "ascending")])
    if twice.num_rows:
        what = f"{name} {twice[name][0]} is in two parts of fold {twice['fold'][0]} ({twice.num_rows} such in all)"
        raise FinserError(what, where=where, do=do)


def _refuse_empty(roles: list[str], where: str, protocol: str) -> None:
    if roles:
        do = "a corpus of three or more speakers is in all parts: add speakers or corpora, or use the protocol random, which is LEAKY"
        if protocol in OWN:
            do = "see what the column split or fold of the tables states (or split.own), and that two or more speakers are in training"
        if protocol == "cross_corpus":
            do = "fold k tests on the k-th corpus, and validation needs another one of two or more speakers: name both"
        raise FinserError(f"no clips for {' and '.join(roles)}", where=where, do=do)
