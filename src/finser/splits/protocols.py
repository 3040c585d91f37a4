"""Assignment of clips to train, validation and test under three protocols.

`speaker`: no speaker is in two parts of a fold; test groups are the published ones where the corpus has any. `random`: clips are assigned
one by one, stratified by corpus x emotion, as in much of the literature; parts share speakers, so the protocol is marked as leaky in every
output. `cross_corpus`: one corpus is the test part, the others are for training, with the emotions that they share. docs/protocols.md
explains all three. They have only clips of the chosen emotions. Every draw is a function of (seed, protocol, fold, corpus) only.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser import layout, seeds
from finser.config.params import Params
from finser.config.sections.split import Split
from finser.corpora.clips import usable
from finser.corpora.known.registry import CORPORA
from finser.errors import FinserError
from finser.files import whole_file
from finser.progress import say
from finser.splits.table import LEAKY, ROLES, SCHEMA, check

LEAST_GROUPS = 5  # a random test group is at most a fifth of a corpus's speakers, however few folds there are


@dataclass(frozen=True)
class PublishedFolds:
    """Published test and validation speakers of a corpus.

    Attributes
    ----------
    folds : tuple of tuple of str
        Speakers of each published test group, in the order of the folds; may be fewer than ``split.folds``, or none.
    validation : mapping of int to tuple of str
        Published validation speakers per fold (counted from 1), if there are any.
    """

    folds: tuple[tuple[str, ...], ...] = ()
    validation: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


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
    if protocol == "speaker":
        rows, sources = speaker_split(clips, _published(params.pooled), params.split, params.seed)
    elif protocol == "cross_corpus":
        rows = cross_corpus_split(clips, params.pooled, params.split, params.seed)
        sources = dict.fromkeys(params.pooled, "one corpus out")
    else:
        rows, sources = random_split(clips, params.split, params.seed), dict.fromkeys(params.pooled, "assigned at random")
    _refuse_one_emotion(clips, rows, protocol)
    _write(protocol, clips, rows, sources)


def split_fins(params: Params) -> None:
    """Step: write data/splits/fins.parquet: the `speaker` split of the corpora that FINs are trained on, with all their emotions."""
    corpora = params.train_fin.data.corpora
    clips = pa.concat_tables([usable(corpus) for corpus in corpora])
    rows, sources = speaker_split(clips, _published(corpora), params.split, params.seed)
    _write("fins", clips, rows, sources)


def of_emotions(clips: pa.Table, emotions: Sequence[str]) -> pa.Table:
    """Return the clips of some emotions.

    Raises
    ------
    FinserError
        No clip has one of the emotions.
    """
    there = set(clips["emotion"].to_pylist())
    missing = [emotion for emotion in emotions if emotion not in there]
    if missing:
        raise FinserError(
            f"no clip of the pooled corpora has {'this emotion' if len(missing) == 1 else 'these emotions'}: {', '.join(missing)}",
            where="params.yaml, emotions",
            expected=f"any of {', '.join(sorted(there)) or 'none'}",
            do=f"delete {'it' if len(missing) == 1 else 'them'} from emotions, or add a corpus to pooled that has such clips",
        )
    return clips.filter(pc.is_in(clips["emotion"], pa.array(emotions, pa.string())))


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
    return {corpus: PublishedFolds(CORPORA[corpus].folds, CORPORA[corpus].validation) for corpus in corpora}


def _write(protocol: str, clips: pa.Table, rows: list[dict[str, str]], sources: dict[str, str]) -> None:
    table = _table(clips, rows, protocol, sources)
    check(table, protocol)
    with whole_file(layout.split(protocol)) as partial:
        pq.write_table(table, partial, compression="zstd")
    for fold in range(1, len(rows) + 1):
        say(f"split {protocol}, fold {fold}: {_counts(table, fold)}")


def speaker_split(
    clips: pa.Table, published: dict[str, PublishedFolds], options: Split, seed: int
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Assign roles by speaker.

    Parameters
    ----------
    clips : pa.Table
        Usable clips: columns clip_id, corpus, speaker, sex, language.
    published : dict
        Per corpus, the published groups; speakers that are not among the clips are ignored.
    options : Split
        Section `split` of params.yaml.
    seed : int
        Seed of every draw.

    Returns
    -------
    list of dict
        Per fold, role by clip_id.
    dict
        Per corpus, where the test groups come from: ``published``, ``assigned at random``, ``published for fold 1, assigned at random for
        the others`` (or more folds than one), ``train only`` (a corpus with one speaker).
    """
    by_speaker: list[dict[str, str]] = [{} for _ in range(options.folds)]
    sources = {}
    for corpus, strata in _speakers(clips).items():
        known = published.get(corpus, PublishedFolds())
        groups, sources[corpus] = test_groups(strata, known.folds, options.folds, seeds.generator(seed, "speaker", corpus))
        for fold, roles in enumerate(by_speaker, start=1):
            test = groups[(fold - 1) % len(groups)]
            rest = {speaker: stratum for speaker, stratum in strata.items() if speaker not in test}
            fixed = known.validation.get(fold, ()) if sources[corpus].startswith("published") else ()
            validation = validation_group(rest, fixed, options.speaker_validation, seeds.generator(seed, "speaker", fold, corpus))
            roles |= dict.fromkeys(rest, "train") | dict.fromkeys(test, "test") | dict.fromkeys(validation, "validation")
    pairs = list(zip(clips["clip_id"].to_pylist(), clips["speaker"].to_pylist(), strict=True))
    return [{clip: roles[speaker] for clip, speaker in pairs} for roles in by_speaker], sources


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
    strata, folds = _speakers(clips), []
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


def test_groups(
    strata: dict[str, tuple[str, ...]], published: Sequence[Sequence[str]], folds: int, rng: np.random.Generator
) -> tuple[list[list[str]], str]:
    """Return disjoint groups of test speakers of one corpus, and their source; fold k tests on group (k - 1) mod n.

    Published groups are used without the speakers that are missing here. For folds without a published group, the other speakers are
    assigned to groups of about the published size. All speakers are assigned at random if nothing is published, or (in a partial corpus) if
    a published group has no speaker left, or leaves too few for training and validation. A random group is a fifth of the speakers, or less
    if there are more than five folds.
    """
    if len(strata) < 2:
        return [[]], "train only"
    groups = [[speaker for speaker in group if speaker in strata] for group in published[:folds]]
    room = min(2, len(strata) - 1)  # one for training, one for validation
    if not groups or not all(0 < len(group) <= len(strata) - room for group in groups):
        return deal(strata, max(folds, LEAST_GROUPS), rng), "assigned at random"
    taken = {speaker for group in groups for speaker in group}
    others = {speaker: stratum for speaker, stratum in strata.items() if speaker not in taken}
    if len(groups) == folds or not others:
        return groups, "published"
    drawn = deal(others, max(folds - len(groups), round(len(others) * len(groups) / len(taken))), rng)
    first = "fold 1" if len(groups) == 1 else f"folds 1 to {len(groups)}"
    return groups + drawn, f"published for {first}, assigned at random for the others"


test_groups.__test__ = False  # not a test, in spite of its name


def validation_group(rest: dict[str, tuple[str, ...]], published: Sequence[str], fraction: float, rng: np.random.Generator) -> list[str]:
    """Choose the validation speakers among a corpus's speakers outside the test part: published ones, or a draw.

    The draw takes a `fraction` of them, at least one and never all; a single speaker is for training.
    """
    fixed = [speaker for speaker in published if speaker in rest]
    if 0 < len(fixed) < len(rest):
        return fixed
    count = min(max(1, math.floor(len(rest) * fraction + 0.5)), len(rest) - 1)
    return spread(rest, rng)[:count]


def deal(strata: dict[str, tuple[str, ...]], groups: int, rng: np.random.Generator) -> list[list[str]]:
    """Assign speakers to at most `groups` groups, balanced by stratum.

    Sizes of groups, and numbers of speakers per stratum in them, differ by at most one.

    Parameters
    ----------
    strata : dict
        Per speaker, the values to balance, e.g. ``("en", "female")``.
    """
    order = [speaker for members in _shuffled(strata, rng) for speaker in members]
    groups = min(groups, len(order))
    return [sorted(order[first::groups]) for first in range(groups)]


def spread(strata: dict[str, tuple[str, ...]], rng: np.random.Generator) -> list[str]:
    """Return speakers in a random order in which every prefix has about the proportions of the strata."""
    at = {}
    for members in _shuffled(strata, rng):
        offset = rng.random()
        at |= {speaker: (rank + offset) / len(members) for rank, speaker in enumerate(members)}
    return sorted(at, key=lambda speaker: (at[speaker], speaker))


def _speakers(clips: pa.Table) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, per corpus and per speaker in sorted order, the stratum: language and sex."""
    columns = (clips[name].to_pylist() for name in ("corpus", "speaker", "language", "sex"))
    strata: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for corpus, speaker, language, sex in sorted(set(zip(*columns, strict=True))):
        if speaker in strata[corpus]:
            raise FinserError("two sexes or languages", where=f"{layout.clips(corpus)} {speaker}", do="run the index again")
        strata[corpus][speaker] = (language, sex)
    return strata


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


def _shuffled(strata: dict[str, tuple[str, ...]], rng: np.random.Generator) -> list[list[str]]:
    """Return the speakers of each stratum in random order, independent of the order of the dictionary."""
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for speaker in sorted(strata):
        members[strata[speaker]].append(speaker)
    return [rng.permutation(members[stratum]).tolist() for stratum in sorted(members)]


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
