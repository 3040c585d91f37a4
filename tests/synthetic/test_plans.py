import re
from collections import Counter
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser import synthetic
from finser.config import presets
from finser.config.sections.fetch import Synthetic
from finser.corpora import counts
from finser.corpora.known import registry
from finser.synthetic.plans import esd_transcripts

PATTERNS = {
    "ravdess": r"Actor_(\d\d)/03-01-(0[1-8])-0[12]-0[12]-0[12]-\1\.wav",
    "crema_d": r"AudioWAV/1\d{3}_(IEO_(ANG|DIS|FEA|HAP|SAD)_(LO|MD|HI)|(IEO_NEU|[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD))_XX)\.wav",
    "tess": r"([OY]AF)_[A-Za-z_]+/\1_[a-z]+_(angry|disgust|fear|happy|neutral|ps|sad)\.wav",
    "savee": r"AudioData/(DC|JE|JK|KL)/(a|d|f|h|n|sa|su)\d\d\.wav",
    "esd": r"(\d{4})/(Angry|Happy|Neutral|Sad|Surprise)/\1_00[01]\d{3}\.wav",
}
CORPORA = sorted(PATTERNS)
sizes = st.tuples(st.sampled_from(CORPORA), st.integers(1, 24), st.integers(1, 60))


def _plan(corpus: str, speakers: int, count: int) -> list:
    return synthetic.plan(Synthetic(speakers=speakers, clips_per_emotion=count), corpus)


@pytest.mark.parametrize(
    ("corpus", "speakers", "clips"), [("ravdess", 6, 360), ("crema_d", 8, 368), ("tess", 2, 336), ("savee", 4, 256), ("esd", 4, 400)]
)
def test_demo_has_about_1700_clips(corpus, speakers, clips):
    source = presets.demo().fetch[corpus]
    assert counts.planned(source, corpus) == clips
    assert len({clip.speaker for clip in synthetic.plan(source, corpus)}) == speakers


def test_tiny():
    assert {corpus: counts.planned(source, corpus) for corpus, source in presets.tiny().fetch.items()} == {"ravdess": 40}


@given(sizes)
def test_names_follow_the_publisher_and_are_unique(size):
    paths = [clip.path for clip in _plan(*size)]
    assert all(re.fullmatch(PATTERNS[size[0]], path) for path in paths)
    assert len(set(paths)) == len(paths)


@given(sizes)
def test_counts_per_speaker_and_emotion(size):
    corpus, speakers, count = size
    clips = _plan(*size)
    most = {"ravdess": (24, 8), "crema_d": (24, 14), "tess": (2, 60), "savee": (4, 15), "esd": (20, 30)}[corpus]
    count = min(count, most[1])
    assert len({clip.speaker for clip in clips}) == min(speakers, most[0])
    for (_, emotion), number in Counter((clip.speaker, clip.emotion) for clip in clips).items():
        if emotion != "neutral" or corpus in ("tess", "esd"):
            assert number == count
        elif corpus == "savee":
            assert number == 2 * count
        else:
            assert count / 2 <= number <= count


@given(sizes, sizes)
def test_a_smaller_plan_is_part_of_a_larger_one(size, other):
    corpus, speakers, count = size
    larger = set(_plan(corpus, max(speakers, other[1]), max(count, other[2])))
    assert set(_plan(corpus, speakers, count)) <= larger


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_planned_name_parses_to_what_was_planned(corpus):
    for clip in _plan(corpus, 24, 60):
        parsed = registry.get(corpus).parse(PurePosixPath(clip.path))
        assert parsed.speaker == f"{corpus}/{clip.speaker}"
        assert (parsed.sex, parsed.language, parsed.emotion) == (clip.sex, clip.language, clip.emotion)
        if corpus in ("ravdess", "crema_d", "tess"):
            assert parsed.sentence.removesuffix(".") in (clip.text, clip.text.removeprefix("Say the word "))


def test_five_ravdess_actors_are_one_per_published_fold():
    actors = {clip.speaker for clip in _plan("ravdess", 5, 1)}
    folds = ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22))
    assert [sum(f"{actor:02}" in actors for actor in fold) for fold in folds] == [1] * 5


def test_eight_crema_d_actors_cover_the_published_split():
    actors = {int(clip.speaker) for clip in _plan("crema_d", 8, 1)}
    test, dev = {1076, 1083, 1048, 1074, 1078}, {1061, 1062, 1049, 1059, 1065}
    assert len(actors & test) >= 2 and len(actors & dev) >= 1 and len(actors - test - dev) >= 4


def test_two_esd_speakers_are_one_of_each_language():
    assert {clip.speaker: clip.language for clip in _plan("esd", 2, 1)} == {"0011": "en", "0001": "zh"}


def test_transcripts_name_every_clip_with_the_label_in_its_language():
    clips = _plan("esd", 2, 2)
    texts = esd_transcripts(clips)
    assert sorted(texts) == ["0001/0001.txt", "0011/0011.txt"]
    lines = [line.split("\t") for text in texts.values() for line in text.splitlines()]
    assert sorted(name for name, _, _ in lines) == sorted(PurePosixPath(clip.path).stem for clip in clips)
    assert {label for name, _, label in lines if name < "0011"} == {"中立", "生气", "快乐", "伤心", "惊喜"}
    assert {label for name, _, label in lines if name > "0011"} == {"Neutral", "Angry", "Happy", "Sad", "Surprise"}


@given(sizes)
def test_oddities_are_on_planned_files_and_never_two_on_one(size):
    clips = _plan(*size)
    odd = synthetic.oddities(size[0], clips)
    names = {clip.path for clip in clips} | set(esd_transcripts(clips))
    touched = [oddity.path for oddity in odd]
    assert set(touched) <= names and len(set(touched)) == len(touched)
    assert all(oddity.other in names - set(touched) for oddity in odd if oddity.kind == "copy")


@pytest.mark.parametrize(
    ("corpus", "kinds"),
    [
        ("ravdess", {"stereo", "copy", "quiet"}),
        ("crema_d", {"silent", "copy", "misnamed"}),
        ("tess", {"aiff", "high_rate", "misnamed"}),
        ("savee", set()),
        ("esd", {"missing", "bom"}),
    ],
)
def test_the_demo_has_every_oddity(corpus, kinds):
    clips = synthetic.plan(presets.demo().fetch[corpus], corpus)
    assert {oddity.kind for oddity in synthetic.oddities(corpus, clips)} == kinds


def test_oddities_without_the_clips_are_left_out():
    assert [oddity.kind for oddity in synthetic.oddities("ravdess", _plan("ravdess", 1, 1))] == ["stereo", "quiet"]
    assert synthetic.oddities("esd", _plan("esd", 1, 1)) == []
