from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.config.sections.fetch import Download, Local, Synthetic
from finser.corpora import complete
from finser.corpora.known.registry import CORPORA
from finser.errors import FinserError

STRICT = Local()
WORDS = [f"{a}{b}" for a in "abcdefghijklmnopqrst" for b in "abcdefghij"]  # as many as TESS has


def whole(corpus):
    """All clips of a corpus, as the publisher's file names tell them."""
    known = CORPORA[corpus]
    clips = known.every([f"tess/OAF_sad/OAF_{word}_sad" for word in WORDS] if corpus == "tess" else [])
    return [known.parse(PurePosixPath(f"{clip}.wav")) for clip in clips]


@pytest.mark.parametrize(("corpus", "clips"), [("ravdess", 1440), ("crema_d", 7442), ("tess", 2800), ("savee", 480), ("esd", 35_000)])
def test_a_complete_corpus(corpus, clips):
    said = whole(corpus)
    known = CORPORA[corpus]
    assert complete.check(said, STRICT, known, "x") == len(said) == clips
    assert [utterance.clip_id for utterance in said] == list(known.every({utterance.clip_id for utterance in said}))
    assert {utterance.speaker for utterance in said} == set(known.speakers)
    assert complete.check(said + said[:9], Download(source="download"), known, "x") == clips  # copies count once


@pytest.mark.parametrize("corpus", ["ravdess", "tess", "savee"])
@settings(max_examples=20, deadline=None)
@given(gone=st.sets(st.integers(0, 59), min_size=1, max_size=9))
def test_what_is_missing_is_named(corpus, gone):
    said = whole(corpus)
    kept = [utterance for number, utterance in enumerate(said) if number not in gone]
    missing = [said[number].clip_id for number in sorted(gone)]
    with pytest.raises(FinserError) as error:
        complete.check(kept, STRICT, CORPORA[corpus], "here")
    assert f"here: {CORPORA[corpus].title} is incomplete; expected {len(said)} clips; found {len(kept)} clips" in str(error.value)
    assert f"{len(gone)} missing: {', '.join(missing[:3])}" in str(error.value)
    assert ("more clips" in str(error.value)) == (len(gone) > 3)
    allowed = STRICT.model_copy(update={"allow_partial": True})
    assert complete.check(kept, allowed, CORPORA[corpus], "here") == len(said)


def test_missing_speakers_are_named_before_clips():
    said = [utterance for utterance in whole("ravdess") if int(utterance.speaker[-2:]) > 5][1:]
    with pytest.raises(
        FinserError, match=r"found 1139 clips, 301 missing: none of ravdess/01, ravdess/02, ravdess/03 and 2 more speakers; rav\S+06;"
    ):
        complete.check(said, STRICT, CORPORA["ravdess"], "x")


def test_a_word_that_is_nowhere_is_counted():
    said = [utterance for utterance in whole("tess") if not utterance.sentence.endswith(" aa")]
    with pytest.raises(FinserError, match="found 2786 clips, 14 missing;"):
        complete.check(said, STRICT, CORPORA["tess"], "x")


def test_english_esd_alone_is_complete():
    said, known = whole("esd"), CORPORA["esd"]
    assert complete.check(said[17_500:], STRICT, known, "x") == 17_500
    none = "none of esd/0011, esd/0012, esd/0013 and 7 more speakers"
    with pytest.raises(FinserError, match=f"expected 35000 clips; found 17500 clips, 17500 missing: {none};"):
        complete.check(said[:17_500], STRICT, known, "x")
    with pytest.raises(
        FinserError, match="expected 17500 clips; found 15749 clips, 1751 missing: none of esd/0020; esd/0011/Neutral/0011_000001;"
    ):
        complete.check(said[17_501:-1750], STRICT, known, "x")


def test_a_synthetic_corpus_is_as_it_was_made():
    assert complete.check(whole("savee")[:3], Synthetic(speakers=1, clips_per_emotion=1), CORPORA["savee"], "x") > 3


def test_more_clips_than_there_can_be():
    known = CORPORA["tess"]
    said = [known.parse(PurePosixPath(f"OAF_{word}{letter}_sad.wav")) for word in WORDS for letter in "abcdefghijklmnopq"]
    with pytest.raises(FinserError, match="more clips than TESS has; expected 2800; found 3400"):
        complete.check(said, STRICT, known, "x")


def test_no_clip_at_all():
    with pytest.raises(FinserError, match="here: no audio file; expected 480 clips of SAVEE"):
        complete.check([], STRICT, CORPORA["savee"], "here")
