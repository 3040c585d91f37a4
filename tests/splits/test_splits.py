"""Splits: published groups as published, all others assigned at random, and no way for anybody to leak."""

import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from finser import layout, seeds
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic
from finser.config.sections.split import Split
from finser.corpora.known.registry import CORPORA
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.splits.groups import PublishedFolds, deal, speaker_split, spread, test_groups, validation_group
from finser.splits.protocols import cross_corpus_split, random_split, split
from finser.splits.table import ROLES, check, fewer_speakers, folds_source, read_parts, read_split

RAVDESS = [(2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22)]
CREMA_D_TEST = "1048 1069 1071 1074 1076 1077 1078 1079 1082 1083 1084 1086 1087 1088 1089 1090 1091"
CLIP_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("clip_id", "corpus", "speaker", "sex", "language", "emotion", "status", "part", "sha256")]
    + [("fold", pa.int32())]
)


def clip_rows(corpus: str, speakers: list[str], per_speaker: int = 8, **other: str) -> list[dict]:
    """`per_speaker` clips for each speaker, emotions in turn; odd speakers are male."""
    rows = []
    for number, speaker in enumerate(speakers, start=1):
        for clip in range(per_speaker):
            row = {
                "clip_id": (name := f"{corpus}/{speaker}/{clip:03d}"),
                "sha256": name,
                "corpus": corpus,
                "speaker": f"{corpus}/{speaker}",
                "language": "en",
            }
            rows.append({**row, "sex": "male" if number % 2 else "female", "emotion": EMOTIONS[clip % 8], "status": "ok", **other})
    return rows


def table_of(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, CLIP_SCHEMA)


def project(monkeypatch: pytest.MonkeyPatch, folder: Path, corpora: dict[str, list[dict]], **sections: object) -> Params:
    """A project in `folder` whose index holds the given rows."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("finser.corpora.clips.read_clips", lambda corpus: table_of(corpora[corpus]))
    first = next(iter(corpora))
    return Params(
        corpora=tuple(corpora),
        fetch={corpus: Synthetic() for corpus in corpora},
        train_fin={"data": {"corpora": (first,)}},
        **{"pooled": tuple(corpora), **sections},
    )


def speakers_by(roles: dict[str, str], role: str) -> set[str]:
    return {clip.split("/")[1] for clip, found in roles.items() if found == role}


def ids(numbers: tuple[int, ...]) -> set[str]:
    return {f"{number:02d}" for number in numbers}


CORPUS = st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(0, 3))  # speakers, clips per speaker, published groups


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[dict], dict[str, PublishedFolds]]:
    """Clips of one to four corpora, and published groups for some of them (not always of speakers that are there)."""
    rows, published = [], {}
    for corpus in draw(st.sets(st.sampled_from(["ravdess", "crema_d", "tess", "savee"]), min_size=1)):
        n_speakers, per_speaker, n_groups = draw(CORPUS)
        rows += clip_rows(corpus, [f"{n:02d}" for n in range(n_speakers)], per_speaker, language=draw(st.sampled_from(["en", "zh"])))
        groups = [tuple(f"{corpus}/{n:02d}" for n in range(first, 12, max(n_groups + 1, 2))) for first in range(n_groups)]
        published[corpus] = PublishedFolds(tuple(groups), {1: tuple(f"{corpus}/{n:02d}" for n in draw(st.sets(st.integers(0, 11))))})
    return rows, published


@settings(max_examples=150, deadline=None)
@given(collections(), st.integers(2, 6), st.floats(0.01, 0.99), st.integers(0, 5), st.randoms())
def test_speaker_split_never_leaks_and_places_every_clip_once(collection, folds, share, seed, random):
    rows, published = collection
    options = Split(folds=folds, speaker_validation=share)
    roles, sources = speaker_split(table_of(rows), published, options, seed)
    assert len(roles) == folds and set(sources) == {row["corpus"] for row in rows}
    for fold in roles:
        assert set(fold) == {row["clip_id"] for row in rows}
        by_speaker: dict[str, set] = {}
        for row in rows:
            by_speaker.setdefault(row["speaker"], set()).add(fold[row["clip_id"]])
        assert all(len(found) == 1 for found in by_speaker.values())
        for corpus in sources:
            assert_parts_of_a_corpus([found for speaker, (found,) in by_speaker.items() if speaker.startswith(corpus)])
    random.shuffle(rows)
    assert speaker_split(table_of(rows), published, options, seed) == (roles, sources)


def assert_parts_of_a_corpus(roles: list[str]) -> None:
    """One speaker trains; two: train and test; three or more: all three parts."""
    expected = {1: {"train"}, 2: {"train", "test"}}.get(len(roles), set(ROLES))
    assert set(roles) == expected


@settings(max_examples=100, deadline=None)
@given(collections(), st.floats(0.05, 0.45), st.floats(0.05, 0.45), st.integers(0, 5), st.randoms())
def test_random_split_places_every_clip_once_in_about_the_shares_asked_for(collection, validation, test, seed, random):
    rows, _ = collection
    options = Split(folds=2, random_validation=validation, random_test=test)
    folds = random_split(table_of(rows), options, seed)
    strata: dict[tuple, list[str]] = {}
    for row in rows:
        strata.setdefault((row["corpus"], row["emotion"]), []).append(row["clip_id"])
    for fold in folds:
        assert set(fold) == {row["clip_id"] for row in rows}
        for members in strata.values():
            found = [fold[clip] for clip in members]
            assert set(found) == (set(ROLES) if len(found) >= 3 else {"train"})
            if len(found) >= 3:
                assert abs(found.count("test") - test * len(found)) <= 1
                assert abs(found.count("validation") - validation * len(found)) <= 1.5
    random.shuffle(rows)
    assert random_split(table_of(rows), options, seed) == folds


def test_random_folds_and_seeds_are_other_draws():
    table = table_of(clip_rows("ravdess", ["01", "02", "03", "04"], 80))
    one, two = random_split(table, Split(folds=2), 0)
    assert one != two
    assert random_split(table, Split(folds=2), 1)[0] != one


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[list[str], list[dict]]:
    """Two to four corpora in some order, and their clips: one to nine speakers, and of each corpus some emotions only."""
    corpora = draw(st.permutations(["ravdess", "crema_d", "tess", "savee"]))[: draw(st.integers(2, 4))]
    rows = []
    for corpus in corpora:
        emotions = draw(st.lists(st.sampled_from(EMOTIONS), min_size=2, max_size=6, unique=True))
        for row in clip_rows(corpus, [f"{n:02d}" for n in range(draw(st.integers(1, 9)))], draw(st.integers(1, 7))):
            rows.append({**row, "emotion": emotions[int(row["clip_id"][-3:]) % len(emotions)]})
    return corpora, rows


MANY_ARE_NONE = [HealthCheck.filter_too_much]  # of the draws: see cross_split


def cross_split(rows: list[dict], corpora: list[str], options: Split, seed: int) -> list[dict[str, str]]:
    """The folds; examples in which two corpora have less than two emotions in common are none."""
    try:
        return cross_corpus_split(table_of(rows), corpora, options, seed)
    except FinserError as error:
        assert "shares too few emotions" in str(error)
        assume(False)


@settings(max_examples=150, deadline=None, suppress_health_check=MANY_ARE_NONE)
@given(neighbours(), st.floats(0.01, 0.99), st.integers(0, 5), st.randoms())
def test_every_fold_of_cross_corpus_leaves_one_corpus_out(collection, share, seed, random):
    corpora, rows = collection
    folds = cross_split(rows, corpora, Split(speaker_validation=share), seed)
    assert len(folds) == len(corpora)
    for fold, left_out in zip(folds, corpora, strict=True):
        roles = {(row["corpus"], row["speaker"], fold[row["clip_id"]]) for row in rows if row["clip_id"] in fold}
        assert {corpus for corpus, _, role in roles if role == "test"} == {left_out}
        assert {role for corpus, _, role in roles if corpus == left_out} == {"test"}
        assert len({speaker for _, speaker, _ in roles}) == len(roles)
        emotions = {role: {row["emotion"] for row in rows if fold.get(row["clip_id"]) == role} for role in ROLES}
        assert emotions["test"] == emotions["train"] >= emotions["validation"]
        whole = {row["clip_id"] for row in rows if row["emotion"] in emotions["test"]}
        assert set(fold) == whole
        for corpus in set(corpora) - {left_out}:
            trained = {row["speaker"] for row in rows if row["corpus"] == corpus}
            assert len({speaker for speaker in trained if (corpus, speaker, "validation") in roles}) <= max(1, share * len(trained) + 0.5)
    random.shuffle(rows)
    assert cross_corpus_split(table_of(rows), corpora, Split(speaker_validation=share), seed) == folds


@settings(max_examples=100, deadline=None, suppress_health_check=MANY_ARE_NONE)
@given(neighbours(), st.integers(0, 5))
def test_of_emotions_that_all_training_speakers_have_the_shared_ones_remain(collection, seed):
    corpora, rows = collection
    each = 7  # clips per speaker: every speaker has all emotions of the corpus
    of = {corpus: sorted({row["emotion"] for row in rows if row["corpus"] == corpus}) for corpus in corpora}
    speakers = sorted({(row["corpus"], row["speaker"]) for row in rows})
    rows = [
        {**row, "emotion": of[corpus][clip % len(of[corpus])]}
        for corpus, speaker in speakers
        for clip, row in enumerate(clip_rows(corpus, [speaker.split("/")[1]], each))
    ]
    for fold, left_out in zip(cross_split(rows, corpora, Split(), seed), corpora, strict=True):
        others = set().union(*(of[corpus] for corpus in corpora if corpus != left_out))
        assert set(fold) == {row["clip_id"] for row in rows if row["emotion"] in others & set(of[left_out])}


@settings(max_examples=100, deadline=None, suppress_health_check=MANY_ARE_NONE)
@given(neighbours(), st.integers(0, 5), st.integers(1, 5))
def test_a_corpus_at_the_end_moves_no_draw_of_cross_corpus(collection, seed, n_speakers):
    corpora, rows = collection
    more = rows + clip_rows("esd", [f"{n:04d}" for n in range(n_speakers)])
    fewer, longer = cross_split(rows, corpora, Split(), seed), cross_split(more, [*corpora, "esd"], Split(), seed)
    assert len(longer) == len(fewer) + 1
    for before, after in zip(fewer, longer, strict=False):
        assert before.items() <= after.items()  # emotions may come to be shared, but none is lost


def test_folds_and_seeds_of_cross_corpus_are_other_draws():
    corpora = ["ravdess", "crema_d", "tess"]
    table = table_of([row for corpus in corpora for row in clip_rows(corpus, [f"{n:02d}" for n in range(30)])])
    folds = cross_corpus_split(table, corpora, Split(), 0)
    validation = [{clip for clip, role in fold.items() if role == "validation" and clip.startswith("tess")} for fold in folds]
    assert len(validation[0]) == len(validation[1]) == 8 * 6 and validation[0] != validation[1] and not validation[2]
    assert cross_corpus_split(table, corpora, Split(), 1)[0] != folds[0]


def test_an_emotion_that_only_a_validation_speaker_has_takes_no_part():
    corpora = ["ravdess", "tess"]
    rows = clip_rows("ravdess", ["01"]) + clip_rows("tess", ["OAF", "YAF"], 4)
    first = cross_corpus_split(table_of(rows), corpora, Split(), 0)[0]
    role = {row["speaker"]: first[row["clip_id"]] for row in rows if row["clip_id"] in first}
    assert sorted(role.values()) == ["test", "train", "validation"]
    for fifth in clip_rows("tess", ["OAF", "YAF"], 5)[4::5]:  # RAVDESS has its emotion, TESS had not
        again = cross_corpus_split(table_of([*rows, fifth]), corpora, Split(), 0)[0]
        assert (again == first) == (role[fifth["speaker"]] == "validation")


def test_corpora_that_share_too_little_are_refused():
    rows = clip_rows("ravdess", ["01", "02"], emotion="happy") + clip_rows("tess", ["OAF", "YAF"])
    with pytest.raises(FinserError, match="ravdess, left out of fold 1, shares too few emotions.*two or more; found happy"):
        cross_corpus_split(table_of(rows), ["ravdess", "tess"], Split(), 0)
    with pytest.raises(FinserError, match="leaves one corpus out; expected two or more corpora; found tess"):
        cross_corpus_split(table_of(rows[16:]), ["tess"], Split(), 0)


def test_ravdess_has_exactly_its_published_folds():
    rows = clip_rows("ravdess", [f"{actor:02d}" for actor in range(1, 25)])
    published = {"ravdess": PublishedFolds(CORPORA["ravdess"].folds)}
    roles, sources = speaker_split(table_of(rows), published, Split(), 0)
    assert sources == {"ravdess": "published"}
    assert [speakers_by(fold, "test") for fold in roles] == [ids(group) for group in RAVDESS]
    for fold, group in zip(roles, RAVDESS, strict=True):
        assert len(speakers_by(fold, "validation")) == round(0.2 * (24 - len(group)))


def test_crema_d_tests_and_validates_fold_1_as_published_and_deals_the_others():
    rows = clip_rows("crema_d", [str(actor) for actor in range(1001, 1092)], 2)
    published = {"crema_d": PublishedFolds(CORPORA["crema_d"].folds, CORPORA["crema_d"].validation)}
    roles, sources = speaker_split(table_of(rows), published, Split(), 0)
    assert sources == {"crema_d": "published for fold 1, assigned at random for the others"}
    assert speakers_by(roles[0], "test") == set(CREMA_D_TEST.split())
    assert len(speakers_by(roles[0], "validation")) == 18 and {"1049", "1085"} <= speakers_by(roles[0], "validation")
    assert len(speakers_by(roles[0], "train")) == 56 and {"1001", "1073"} <= speakers_by(roles[0], "train")
    groups = [speakers_by(fold, "test") for fold in roles]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 91
    for group in groups[1:]:
        men = sum(int(speaker) % 2 for speaker in group)  # odd actors are male in this test's rows
        assert len(group) in (18, 19) and abs(men - (len(group) - men)) <= 2


def test_a_partial_corpus_without_a_whole_published_group_is_assigned_at_random():
    rows = clip_rows("ravdess", ["02", "03", "10", "08"])  # nobody of published fold 5
    roles, sources = speaker_split(table_of(rows), {"ravdess": PublishedFolds(CORPORA["ravdess"].folds)}, Split(), 0)
    assert sources == {"ravdess": "assigned at random"}
    groups = [speakers_by(fold, "test") for fold in roles]
    assert set.union(*groups[:4]) == {"02", "03", "08", "10"} and groups[4] == groups[0]


def test_tess_goes_from_speaker_to_speaker_and_cycles():
    published = {"tess": PublishedFolds(CORPORA["tess"].folds)}
    roles, sources = speaker_split(table_of(clip_rows("tess", ["OAF", "YAF"])), published, Split(folds=3), 0)
    first, second, third = (speakers_by(fold, "test") for fold in roles)
    assert sources == {"tess": "published"} and first == third and first | second == {"OAF", "YAF"} and first != second
    assert all(not speakers_by(fold, "validation") for fold in roles)


def test_random_groups_balance_language_and_sex():
    strata = {f"esd/{n:04d}": ("zh" if n <= 10 else "en", "male" if n % 2 else "female") for n in range(1, 21)}
    groups = deal(strata, 5, seeds.generator(0))
    assert sorted(map(len, groups)) == [4] * 5
    for group in groups:
        assert {strata[speaker] for speaker in group} == set(strata.values())


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_every_beginning_of_a_spread_keeps_the_proportions(men, women, seed):
    strata = {f"{sex}{n}": (sex,) for sex, count in (("m", men), ("f", women)) for n in range(count)}
    order = spread(strata, seeds.generator(seed))
    assert sorted(order) == sorted(strata)
    for length in range(len(order)):
        found = sum(speaker.startswith("m") for speaker in order[:length])
        assert abs(found - length * men / (men + women)) <= 2


def test_published_validation_is_used_only_if_it_leaves_someone_to_train():
    rest = dict.fromkeys("abc", ("en", "male"))
    assert validation_group(rest, ("b", "x"), 0.2, seeds.generator(0)) == ["b"]
    assert len(validation_group(rest, ("a", "b", "c"), 0.2, seeds.generator(0))) == 1
    assert validation_group({"a": ("en", "male")}, (), 0.2, seeds.generator(0)) == []


def test_few_folds_do_not_make_test_parts_large():
    rows = clip_rows("crema_d", [str(actor) for actor in range(1001, 1092)], 1)
    roles, _ = speaker_split(table_of(rows), {"crema_d": PublishedFolds(CORPORA["crema_d"].folds)}, Split(folds=2), 0)
    assert [len(speakers_by(fold, "test")) for fold in roles] == [17, 19]
    roles, _ = speaker_split(table_of(rows), {}, Split(folds=2), 0)
    assert [len(speakers_by(fold, "test")) for fold in roles] == [19, 18]


def test_a_group_that_is_everybody_is_assigned_at_random():
    strata = dict.fromkeys("abc", ("en", "male"))
    groups, source = test_groups(strata, [("a", "b", "c")], 5, seeds.generator(0))
    assert source == "assigned at random" and sorted(groups) == [["a"], ["b"], ["c"]]


def test_the_step_writes_what_readers_need(tmp_path, monkeypatch):
    corpora = {"ravdess": clip_rows("ravdess", [f"{n:02d}" for n in range(1, 25)]), "savee": clip_rows("savee", ["DC", "JE", "JK", "KL"])}
    corpora["savee"][0]["status"] = "excluded"
    params = project(monkeypatch, tmp_path, corpora)
    for protocol in ("speaker", "random"):
        split(params, protocol)
        table = pq.read_table(layout.split(protocol))
        assert table.num_rows == 5 * (len(corpora["ravdess"]) + len(corpora["savee"]) - 1)
        assert corpora["savee"][0]["clip_id"] not in table["clip_id"].to_pylist()
        assert table.equals(table.sort_by([("fold", "ascending"), ("clip_id", "ascending")]))
        assert table.schema.metadata[b"leaky"] == (b"true" if protocol == "random" else b"false")
        before = layout.split(protocol).read_bytes()
        split(params, protocol)
        assert layout.split(protocol).read_bytes() == before
        assert read_split(protocol, 2).equals(table.filter(pa.array([fold == 2 for fold in table["fold"].to_pylist()])))
    assert folds_source("speaker") == {"ravdess": "published", "savee": "published"}
    parts = read_parts("speaker", 1, ["savee"])
    assert set(parts) == set(ROLES) and set(parts["test"]["corpus"].to_pylist()) == {"savee"}


@pytest.fixture
def left_out(tmp_path, monkeypatch) -> tuple[Params, pa.Table]:
    """A sound cross-corpus split on disk of TESS, RAVDESS and SAVEE, in this order; ESD is prepared, too, and not learned from."""
    corpora = {"ravdess": [f"{n:02d}" for n in range(1, 7)], "esd": ["0001", "0011"], "tess": ["OAF", "YAF"], "savee": ["DC", "JE", "JK"]}
    rows = {corpus: clip_rows(corpus, speakers) for corpus, speakers in corpora.items()}
    rows = {corpus: [row for row in clips if corpus == "ravdess" or row["emotion"] != "calm"] for corpus, clips in rows.items()}
    learned = {"pooled": ("tess", "ravdess", "savee"), "protocols": ("speaker", "cross_corpus")}
    params = project(monkeypatch, tmp_path, rows, **learned, split={"folds": 2})
    split(params, "cross_corpus")
    return params, pq.read_table(layout.split("cross_corpus"))


def test_the_step_writes_a_fold_per_corpus_that_classifiers_learn_from(left_out):
    params, table = left_out
    assert folds_source("cross_corpus") == dict.fromkeys(("tess", "ravdess", "savee"), "one corpus out")
    assert table.schema.metadata[b"leaky"] == b"false" and table["fold"].unique().to_pylist() == [1, 2, 3]
    assert table.equals(table.sort_by([("fold", "ascending"), ("clip_id", "ascending")]))
    for fold, corpus in enumerate(("tess", "ravdess", "savee"), start=1):
        parts = read_parts("cross_corpus", fold, ["tess", "ravdess", "savee"])
        assert parts["test"]["corpus"].unique().to_pylist() == [corpus]
        clips = {"tess": 2 * 7, "ravdess": 6 * 7, "savee": 3 * 7}  # without calm, which RAVDESS alone has
        assert {part: rows.num_rows for part, rows in parts.items()}["test"] == clips[corpus]
        assert sum(rows.num_rows for rows in parts.values()) == sum(clips.values())
        assert "calm" not in table["emotion"].to_pylist()
    before = layout.split("cross_corpus").read_bytes()
    split(params, "cross_corpus")
    assert layout.split("cross_corpus").read_bytes() == before


def test_leaks_planted_in_cross_corpus_are_refused(left_out):
    rows = left_out[1].to_pylist()
    tests = next(number for number, row in enumerate(rows) if row["role"] == "test")
    with pytest.raises(FinserError, match="speaker tess/OAF is in two parts of fold 1"):
        check(plant(left_out[1], {"role": "train"}, tests), "cross_corpus")
    moved = [{**row, "role": "train"} if (row["fold"], row["speaker"]) == (1, "tess/OAF") else row for row in rows]
    moved = pa.Table.from_pylist(moved, left_out[1].schema)
    check(moved, "speaker")  # no speaker is in two parts
    with pytest.raises(FinserError, match="corpus tess is in two parts of fold 1"):
        check(moved, "cross_corpus")
    pq.write_table(moved, layout.split("cross_corpus"))
    with pytest.raises(FinserError, match="corpus tess"):
        read_split("cross_corpus", 1)
    read_split("cross_corpus", 2)
    with pytest.raises(FinserError, match="fold 1 tests on 'calm', which no training clip has"):
        check(plant(left_out[1], {"emotion": "calm"}, tests), "cross_corpus")


def test_some_of_the_corpora_may_be_read_if_all_emotions_that_test_are_trained(left_out):
    assert read_parts("cross_corpus", 1, ["tess", "savee"])["train"]["corpus"].unique().to_pylist() == ["savee"]
    with pytest.raises(FinserError, match="no clips for test; fold k tests on the k-th corpus"):
        read_parts("cross_corpus", 1, ["ravdess", "savee"])
    rows = [row for row in left_out[1].to_pylist() if (row["corpus"], row["emotion"]) != ("savee", "happy")]
    table = pa.Table.from_pylist(rows, left_out[1].schema)
    pq.write_table(table, layout.split("cross_corpus"))
    read_parts("cross_corpus", 1, ["tess", "ravdess", "savee"])
    with pytest.raises(FinserError, match="fold 1, tess, savee: fold 1 tests on 'happy', which no training clip has; name a corpus"):
        read_parts("cross_corpus", 1, ["tess", "savee"])


@pytest.mark.parametrize("speakers, missing", [(["OAF"], "validation and test"), (["OAF", "YAF"], "validation")])
def test_too_few_speakers_are_an_error_that_names_the_empty_part(tmp_path, monkeypatch, speakers, missing):
    params = project(monkeypatch, tmp_path, {"tess": clip_rows("tess", speakers)})
    with pytest.raises(FinserError, match=f"fold 1: no clips for {missing};.*speakers"):
        split(params, "speaker")
    assert not layout.split("speaker").exists()


def test_a_subset_of_corpora_with_an_empty_part_is_refused(tmp_path, monkeypatch):
    split(
        project(monkeypatch, tmp_path, {"ravdess": clip_rows("ravdess", ["01", "02", "03"]), "tess": clip_rows("tess", ["OAF", "YAF"])}),
        "speaker",
    )
    read_parts("speaker", 1, ["ravdess"])
    with pytest.raises(FinserError, match="no clips for validation"):
        read_parts("speaker", 1, ["tess"])


@pytest.fixture
def written(tmp_path, monkeypatch) -> pa.Table:
    """A sound speaker split of six speakers, on disk."""
    split(project(monkeypatch, tmp_path, {"ravdess": clip_rows("ravdess", [f"{n:02d}" for n in range(1, 7)])}), "speaker")
    return pq.read_table(layout.split("speaker"))


def plant(table: pa.Table, change: dict, row: int = 0) -> pa.Table:
    rows = table.to_pylist()
    rows[row] |= change
    return pa.Table.from_pylist(rows, table.schema)


def test_a_planted_leak_is_refused_by_the_check_and_by_every_reader(written):
    role = written["role"][0].as_py()
    other = "train" if role == "test" else "test"
    leaky = plant(written, {"role": other})
    with pytest.raises(FinserError, match="speaker ravdess/01 is in two parts of fold 1"):
        check(leaky, "speaker")
    check(leaky, "random")  # which shares speakers by design
    pq.write_table(leaky, layout.split("speaker"))
    with pytest.raises(FinserError, match="speaker ravdess/01"):
        read_split("speaker", 1)
    read_split("speaker", 2)


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_a_clip_in_two_parts_is_refused_under_every_protocol(written, protocol):
    twice = plant(written, {"clip_id": written["clip_id"][1].as_py()})
    with pytest.raises(FinserError, match="clip_id ravdess/01/001 is in two parts of fold 1"):
        check(twice, protocol)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"speaker": "tess/01"}, "speaker tess/01 in a row of corpus ravdess"),
        ({"clip_id": "tess/01/000"}, "clip_id tess/01/000 in a row of corpus ravdess"),
        ({"corpus": "tess"}, "clip_id ravdess/01/000 in a row of corpus tess"),
        ({"speaker": None}, "empty cells in speaker"),
        ({"emotion": None, "role": None}, "empty cells in emotion, role"),
        ({"fold": None}, "empty cells in fold"),
    ],
)
def test_rows_that_contradict_themselves_are_refused_by_the_check_and_by_every_reader(written, change, said):
    for protocol in ("speaker", "random"):
        with pytest.raises(FinserError, match=f"{said}; delete the file and run: finser split"):
            check(plant(written, change), protocol)
    pq.write_table(plant(written, change), layout.split("speaker"))
    with pytest.raises(FinserError, match=said):
        read_split("speaker", 1)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["ravdess", "tess", "savee"]), st.integers(1, 9), min_size=1),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=5),
    st.integers(0, 3),
    st.integers(1, 3),
    st.randoms(),
)
def test_a_smaller_share_of_the_speakers_is_part_of_a_larger_one(corpora, shares, seed, fold, random):
    rows = [row for corpus, count in corpora.items() for row in clip_rows(corpus, [f"{n:02d}" for n in range(count)], 2)]
    kept = [fewer_speakers(table_of(rows), share, seed, fold) for share in sorted(shares)]
    speakers = [set(table["speaker"].to_pylist()) for table in kept]
    for share, found in zip(sorted(shares), speakers, strict=True):
        for corpus, count in corpora.items():
            assert sum(speaker.startswith(corpus) for speaker in found) == max(1, round(share * count))
    assert all(fewer <= more for fewer, more in itertools.pairwise(speakers))
    for table, found in zip(kept, speakers, strict=True):
        assert sorted(table["clip_id"].to_pylist()) == sorted(row["clip_id"] for row in rows if row["speaker"] in found)
    random.shuffle(rows)
    again = fewer_speakers(table_of(rows), min(shares), seed, fold)
    assert set(again["clip_id"].to_pylist()) == set(kept[0]["clip_id"].to_pylist())


def test_seeds_and_folds_keep_other_speakers_and_a_corpus_moves_no_other():
    rows = clip_rows("ravdess", [f"{n:02d}" for n in range(20)])
    found = {frozenset(fewer_speakers(table_of(rows), 0.3, seed, fold)["speaker"].to_pylist()) for seed, fold in ((0, 1), (0, 2), (1, 1))}
    assert len(found) == 3
    more = fewer_speakers(table_of(clip_rows("crema_d", ["1001", "1002"]) + rows), 0.3, 0, 1)
    assert {speaker for speaker in more["speaker"].to_pylist() if speaker.startswith("ravdess")} in found
    assert fewer_speakers(table_of(rows), 1.0, 0, 1).num_rows == len(rows)


def test_unknown_roles_and_empty_parts_are_refused(written):
    with pytest.raises(FinserError, match="unknown roles"):
        check(plant(written, {"role": "dev"}), "speaker")
    trained = [{**row, "role": "train"} for row in written.to_pylist()]
    with pytest.raises(FinserError, match="no clips for validation and test"):
        check(pa.Table.from_pylist(trained, written.schema), "speaker")


def test_readers_refuse_other_files(written):
    with pytest.raises(FinserError, match="no such split"):
        read_split("random", 1)
    with pytest.raises(FinserError, match="no fold 9"):
        read_split("speaker", 9)
    pq.write_table(written, layout.split("random"))
    with pytest.raises(FinserError, match="another protocol"):
        read_split("random", 1)
    layout.split("speaker").write_bytes(b"PAR1 not really")
    with pytest.raises(FinserError, match="not a split"):
        read_split("speaker", 1)


def test_metadata_is_json(written):
    # six actors: three published groups lack everybody
    assert json.loads(written.schema.metadata[b"folds_source"]) == {"ravdess": "assigned at random"}


def test_a_recording_in_two_corpora_is_refused_unless_the_protocol_is_leaky(tmp_path, monkeypatch):
    """Its speaker has two names, so that speakers kept apart by name could hear each other."""
    speakers = [f"{number:02d}" for number in range(1, 7)]
    own = clip_rows("own", speakers)
    own[3]["sha256"] = "ravdess/02/001"
    corpora = {"ravdess": clip_rows("ravdess", speakers), "tess": [{**row, **as_of_tess(row)} for row in own]}
    params = project(monkeypatch, tmp_path, corpora)
    with pytest.raises(FinserError, match=r"pooled: recordings that are in two corpora: 1, e.g. ravdess/02/001 and tess/01/003; leave one"):
        split(params, "speaker")
    split(params, "random")


def as_of_tess(row: dict) -> dict:
    return {name: row[name].replace("own", "tess") for name in ("clip_id", "corpus", "speaker")}
