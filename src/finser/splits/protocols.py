"""Assignment of clips to train, validation and test under each protocol.

`speaker`: no speaker is in two parts of a fold; test groups are the published ones where the corpus has any. `random`: clips are assigned
one by one, stratified by corpus x emotion, as in much of the literature; parts share speakers, so the protocol is marked as leaky in every
output. `cross_corpus`: one corpus is the test part, the others are for training, with the emotions that they share. `own`: as the table of
an own corpus or a file of folds states. docs/protocols.md explains them. They have only clips of the chosen emotions. Every draw is a
function of (seed, protocol, fold, corpus) only.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout, seeds
from finser.config.params import Params
from finser.config.sections.split import Split
from finser.corpora.clips import read_clips, usable
from finser.corpora.known.registry import CORPORA
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.files import whole_file
from finser.progress import say
from finser.splits.groups import PublishedFolds, speaker_split, strata_of_corpora, validation_group
from finser.splits.own import own_split
from finser.splits.table import LEAKY, ROLES, SCHEMA, check


def split(params: Params, protocol: str) -> None:
    """Step: write data/splits/PROTOCOL.parquet: one row per fold x usable clip of the pooled corpora, sorted by fold and clip_id.

    Clips of emotions that ``emotions`` does not name are left out. Under `cross_corpus`, a clip that is in no part of a fold has no row
    in it.

    Raises
    ------
    FinserError
        No clip has one of the emotions, a training part has fewer than two emotions, or the split leaks
        (:func:`finser.splits.table.check`).
    """
    clips = of_emotions(pa.concat_tables([usable(corpus) for corpus in params.pooled]), params.emotions)
    if not LEAKY[protocol]:
        _refuse_shared(clips)
    if protocol == "speaker":
        rows, sources = speaker_split(clips, _published(params.pooled), params.split, params.seed)
    elif protocol == "cross_corpus":
        rows = cross_corpus_split(clips, params.pooled, params.split, params.seed)
        sources = dict.fromkeys(params.pooled, "one corpus out")
    elif protocol == "random":
        rows, sources = random_split(clips, params.split, params.seed), dict.fromkeys(params.pooled, "assigned at random")
    else:
        indexed = pa.concat_tables([read_clips(corpus) for corpus in params.pooled]) if params.split.own else None
        rows, sources = own_split(clips, _published(params.pooled), params.split, params.seed, indexed)
    _refuse_one_emotion(clips, rows, protocol)
    _write(protocol, clips, rows, sources)


def split_fins(params: Params) -> None:
    """Step: write data/splits/fins.parquet: the `speaker` split of the corpora that FINs are trained on, with all their emotions."""
    corpora = params.train_fin.data.corpora
    clips = pa.concat_tables([usable(corpus) for corpus in corpora])
    rows, sources = speaker_split(clips, _published(corpora), params.split, params.seed)
    _write("fins", clips, rows, sources)


def of_emotions(clips: pa.Table, emotions: Sequence[str]) -> pa.Table:
    """Return the clips of some emotions; log default emotions that no clip has, and the emotions that are left out.

    Raises
    ------
    FinserError
        No clip has one of the emotions, which is no default emotion: its name is wrong, or its corpus is missing.
    """
    there = Counter(clips["emotion"].to_pylist())
    missing, others = [name for name in emotions if name not in there], sorted(there.keys() - set(emotions))
    strange = [name for name in missing if name not in EMOTIONS]
    if strange:
        raise FinserError(
            f"no clip of the pooled corpora has {'this emotion' if len(strange) == 1 else 'these emotions'}: {', '.join(strange)}",
            where="params.yaml, emotions",
            expected=f"any of {', '.join(sorted(there)) or 'none'}",
            do=f"delete {'it' if len(strange) == 1 else 'them'} from emotions, or add a corpus to pooled that has such clips",
        )
    if missing:
        say(f"no clip of the pooled corpora has these emotions of params.yaml: {', '.join(missing)}")
    if others:
        say(f"left out, because emotions in params.yaml lacks them: {', '.join(f'{name} ({there[name]:,} clips)' for name in others)}")
    return clips.filter(pc.is_in(clips["emotion"], pa.array(emotions, pa.string())))


def _refuse_shared(clips: pa.Table) -> None:
    """Raise an error if a file is in two corpora: its speaker has two names, and could be in training and in test."""
    first: dict[str, tuple[str, str]] = {}
    columns = (clips[name].to_pylist() for name in ("sha256", "corpus", "clip_id"))
    shared = [
        (first[file][1], clip) for file, corpus, clip in zip(*columns, strict=True) if first.setdefault(file, (corpus, clip))[0] != corpus
    ]
    if shared:
        what = f"recordings that are in two corpora: {len(shared)}, e.g. {shared[0][0]} and {shared[0][1]}"
        raise FinserError(what, where="params.yaml, pooled", do="leave one of the corpora out, or exclude the files: index.exclude")


def _refuse_one_emotion(clips: pa.Table, rows: list[dict[str, str]], protocol: str) -> None:
    """Raise an error if a training part has fewer than two emotions."""
    emotions = dict(zip(clips["clip_id"].to_pylist(), clips["emotion"].to_pylist(), strict=True))
    for fold, roles in enumerate(rows, start=1):
        trained = sorted({emotions[clip] for clip, role in roles.items() if role == "train"})
        if len(trained) == 1:  # an empty part is for finser.splits.table.check
            raise FinserError(
                f"the training part of fold {fold} has one emotion",
                where=layout.split(protocol),
                expected="two or more",
                found=trained[0],
                do="name more emotions, or add a corpus to pooled, in params.yaml",
            )


def _published(corpora: Sequence[str]) -> dict[str, PublishedFolds]:
    return {corpus: PublishedFolds(known.folds, known.validation) for corpus in corpora if (known := CORPORA.get(corpus))}


def _write(protocol: str, clips: pa.Table, rows: list[dict[str, str]], sources: dict[str, str]) -> None:
    table = _table(clips, rows, protocol, sources)
    check(table, protocol)
    with whole_file(layout.split(protocol)) as partial:
        pq.write_table(table, partial, compression="zstd")
    for fold in range(1, len(rows) + 1):
        say(f"split {protocol}, fold {fold}: {_counts(table, fold)}")


def random_split(clips: pa.Table, options: Split, seed: int) -> list[dict[str, str]]:
    """Assign roles by clip, stratified by corpus x emotion, with an independent draw per fold; per fold, role by clip_id.

    A stratum of three or more clips has at least one in each part. All clips of a smaller stratum are in train.
    """
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for clip, corpus, emotion in zip(*(clips[name].to_pylist() for name in ("clip_id", "corpus", "emotion")), strict=True):
        strata[corpus, emotion].append(clip)
    folds: list[dict[str, str]] = []
    for fold in range(1, options.folds + 1):
        folds.append({})
        for names, members in strata.items():
            order = seeds.generator(seed, "random", fold, *names).permutation(sorted(members))
            folds[-1] |= dict(zip(order.tolist(), _random_roles(len(order), options), strict=True))
    return folds


def cross_corpus_split(clips: pa.Table, corpora: Sequence[str], options: Split, seed: int) -> list[dict[str, str]]:
    """Assign roles by corpus: fold k tests on the k-th corpus, and trains and validates on speakers of the others.

    A fold has only the emotions that occur both in the left-out corpus and in the training part, so that the classes of training and test
    are the same.

    Parameters
    ----------
    clips : pa.Table
        Usable clips: columns clip_id, corpus, speaker, sex, language, emotion.
    corpora : sequence of str
        The corpora of `clips`, in the order of the folds.
    options : Split
        Section `split` of params.yaml; `folds` has no effect.
    seed : int
        Seed of every draw.

    Returns
    -------
    list of dict
        Per fold, role by clip_id; clips of other emotions are missing.

    Raises
    ------
    FinserError
        There are fewer than two corpora, or a corpus shares fewer than two emotions with the others.
    """
    if len(corpora) < 2:
        where = "params.yaml pooled"
        raise FinserError("cross_corpus leaves one corpus out", where=where, expected="two or more corpora", found=", ".join(corpora))
    strata, folds = strata_of_corpora(clips), []
    rows = list(zip(*(clips[name].to_pylist() for name in ("clip_id", "speaker", "emotion")), strict=True))
    for fold, left_out in enumerate(corpora, start=1):
        roles = dict.fromkeys(strata[left_out], "test")
        for corpus in corpora:
            if corpus != left_out:
                rng = seeds.generator(seed, "cross_corpus", fold, corpus)
                validation = validation_group(strata[corpus], (), options.speaker_validation, rng)
                roles |= dict.fromkeys(strata[corpus], "train") | dict.fromkeys(validation, "validation")
        tested, trained = ({emotion for _, speaker, emotion in rows if roles[speaker] == role} for role in ("test", "train"))
        _refuse_few(tested & trained, fold, left_out)
        folds.append({clip: roles[speaker] for clip, speaker, emotion in rows if emotion in tested & trained})
    return folds


def _refuse_few(shared: set[str], fold: int, left_out: str) -> None:
    if len(shared) < 2:
        raise FinserError(
            f"{left_out}, left out of fold {fold}, shares too few emotions with the others",
            where=layout.split("cross_corpus"),
            expected="two or more",
            found=", ".join(shared) or "none",
            do="change pooled in params.yaml",
        )


def _random_roles(n: int, options: Split) -> list[str]:
    if n < 3:
        return ["train"] * n
    test = min(max(1, math.floor(n * options.random_test + 0.5)), n - 2)
    validation = min(max(1, math.floor(n * options.random_validation + 0.5)), n - 1 - test)
    return ["test"] * test + ["validation"] * validation + ["train"] * (n - test - validation)


def _table(clips: pa.Table, rows: list[dict[str, str]], protocol: str, sources: dict[str, str]) -> pa.Table:
    clips = clips.select(["clip_id", "corpus", "speaker", "emotion"]).sort_by("clip_id")
    ids = clips["clip_id"].to_pylist()
    folds = []
    for fold, roles in enumerate(rows, start=1):
        table = clips.add_column(0, "fold", pa.array([fold] * len(ids), pa.int32()))
        table = table.append_column("role", pa.array([roles.get(clip) for clip in ids], pa.string()))
        folds.append(table.filter(pc.is_valid(table["role"])))
    metadata = {"protocol": protocol, "leaky": json.dumps(LEAKY[protocol]), "folds_source": json.dumps(sources)}
    return pa.concat_tables(folds).cast(SCHEMA).combine_chunks().replace_schema_metadata(metadata)


def _counts(table: pa.Table, fold: int) -> str:
    rows = table.filter(pc.equal(table["fold"], fold))
    parts = {role: rows.filter(pc.equal(rows["role"], role)) for role in ROLES}
    return ", ".join(f"{role} {part.num_rows} clips of {pc.count_distinct(part['speaker'])} speakers" for role, part in parts.items())
