"""Groups of test and validation speakers: published ones, or draws that are balanced by language and sex."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from finser import layout, seeds
from finser.config.sections.split import Split
from finser.errors import FinserError

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
    for corpus, strata in strata_of_corpora(clips).items():
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


def strata_of_corpora(clips: pa.Table) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, per corpus and per speaker in sorted order, the stratum: language and sex; of several languages, all of them."""
    columns = (clips[name].to_pylist() for name in ("corpus", "speaker", "language", "sex"))
    languages: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for corpus, speaker, language, sex in set(zip(*columns, strict=True)):
        languages[corpus, speaker, sex].add(language)
    strata: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for corpus, speaker, sex in sorted(languages):
        if speaker in strata[corpus]:
            raise FinserError("two sexes", where=f"{layout.clips(corpus)} {speaker}", do="run the index again")
        strata[corpus][speaker] = ("+".join(sorted(languages[corpus, speaker, sex])), sex)
    return strata


def _shuffled(strata: dict[str, tuple[str, ...]], rng: np.random.Generator) -> list[list[str]]:
    """Return the speakers of each stratum in random order, independent of the order of the dictionary."""
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for speaker in sorted(strata):
        members[strata[speaker]].append(speaker)
    return [rng.permutation(members[stratum]).tolist() for stratum in sorted(members)]
