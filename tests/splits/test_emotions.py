"""A split has the clips of the chosen emotions alone; the split of FINs has all."""

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finser import layout
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.splits.protocols import split, split_fins

from .test_splits import clip_rows, project

PROTOCOLS = ("speaker", "random", "cross_corpus")
CORPORA = {
    "ravdess": clip_rows("ravdess", [f"{number:02d}" for number in range(1, 7)], 16),
    "savee": [row for row in clip_rows("savee", ["DC", "JE", "JK", "KL"], 16) if row["emotion"] != "calm"],
}


def refusal(params, protocol: str) -> str:
    with pytest.raises(FinserError) as caught:
        split(params, protocol)
    assert "\n" not in str(caught.value) and not layout.split(protocol).exists()
    return str(caught.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.permutations(EMOTIONS).flatmap(lambda order: st.integers(3, 8).map(lambda count: tuple(order[:count]))))
def test_clips_of_other_emotions_are_in_no_part_and_the_order_of_the_classes_changes_nothing(tmp_path, monkeypatch, protocol, chosen):
    written = []
    for emotions in (chosen, tuple(sorted(chosen))):
        split(project(monkeypatch, tmp_path, CORPORA, emotions=emotions, protocols=PROTOCOLS, split={"folds": 2}), protocol)
        written.append(layout.split(protocol).read_bytes())
    assert written[0] == written[1]
    rows = pq.read_table(layout.split(protocol)).to_pylist()
    without = {"calm"} if protocol == "cross_corpus" else set()  # only one corpus has it
    of_both = {row["clip_id"]: row["emotion"] for clips in CORPORA.values() for row in clips if row["emotion"] in {*chosen} - without}
    for fold in (1, 2):
        assert {row["clip_id"]: row["emotion"] for row in rows if row["fold"] == fold} == of_both
    layout.split(protocol).unlink()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_clip_keeps_its_part_whichever_other_emotions_are_left_out(tmp_path, monkeypatch, protocol):
    roles = []
    for emotions in (EMOTIONS, ("neutral", "happy", "sad", "angry")):
        split(project(monkeypatch, tmp_path, CORPORA, emotions=emotions, protocols=PROTOCOLS, split={"folds": 2}), protocol)
        roles.append({(row["fold"], row["clip_id"]): row["role"] for row in pq.read_table(layout.split(protocol)).to_pylist()})
    assert roles[1].items() < roles[0].items()


def test_fins_are_trained_on_clips_of_all_emotions(tmp_path, monkeypatch):
    written = []
    for emotions in (EMOTIONS, ("sad", "angry"), ("boredom", "contempt")):
        split_fins(project(monkeypatch, tmp_path, CORPORA, emotions=emotions))
        written.append(layout.split("fins").read_bytes())
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_emotions_that_no_clip_has_are_named(tmp_path, monkeypatch, protocol):
    def refused(*emotions: str) -> str:
        return refusal(project(monkeypatch, tmp_path, CORPORA, emotions=emotions, protocols=PROTOCOLS, split={"folds": 2}), protocol)

    there = ", ".join(sorted(EMOTIONS))
    assert refused("sad", "boredom", "angry", "contempt") == (
        "params.yaml, emotions: no clip of the pooled corpora has these emotions: boredom, contempt; "
        f"expected any of {there}; delete them from emotions, or add a corpus to pooled that has such clips"
    )
    assert "has this emotion: boredom; " in refused("sad", "boredom")


def test_a_training_part_of_one_emotion_is_refused(tmp_path, monkeypatch):
    """Under `speaker`, the two speakers that are not tested or validated are always sad."""
    rows = [{**row, "emotion": "angry" if row["speaker"] == "savee/DC" else "sad"} for row in clip_rows("savee", ["DC", "JE", "JK", "KL"])]
    params = project(monkeypatch, tmp_path, {"savee": rows}, emotions=("sad", "angry"), split={"folds": 4})
    assert refusal(params, "speaker") == (
        "data/splits/speaker.parquet: the training part of fold 1 has one emotion; expected two or more; found sad; "
        "name more emotions, or add a corpus to pooled, in params.yaml"
    )
    params = project(monkeypatch, tmp_path, CORPORA, emotions=("calm", "sad"), protocols=PROTOCOLS, split={"folds": 2})
    assert "shares too few emotions with the others; expected two or more; found sad" in refusal(params, "cross_corpus")
