"""A page with other classes than the default: its tables follow them, and the numbers of clips add up."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import confusion_matrix, recall_score

from finser import layout
from finser.errors import FinserError
from finser.report import captions, tables
from finser.report.read import collect
from finser.summary.summarise import summarise

CHOSEN = ("sad", "calm", "angry", "happy")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def kept(page, corpus: str) -> list[str]:
    rows = pq.read_table(page.folder / layout.clips(corpus)).to_pylist()
    return [row["emotion"] for row in rows if row["status"] == "ok"]


def test_clips_of_other_emotions_are_counted_in_a_column_and_the_numbers_add_up(chosen):
    *rows, totals = chosen.table("Kept clips per emotion. A dash: the corpus has none. *Other emotions*: those that `emotions`")
    assert list(totals) == ["corpus", *CHOSEN, "other emotions", "all"]
    for row, corpus in zip(rows, ("ravdess", "tess"), strict=True):
        emotions = kept(chosen, corpus)
        counts = {emotion: emotions.count(emotion) for emotion in CHOSEN}
        counts["other emotions"] = len(emotions) - sum(counts.values())
        assert {name: 0 if row[name] == "–" else number(row[name]) for name in counts} == counts
        assert number(row["all"]) == len(emotions)
    assert rows[1]["calm"] == "–", "TESS has none"
    assert all(number(totals[name]) == sum(number(row[name]) for row in rows if row[name] != "–") for name in list(totals)[1:])


def test_the_parts_have_all_clips_of_the_chosen_emotions_and_the_caption_counts_the_others(chosen):
    others = sum(emotion not in CHOSEN for corpus in ("ravdess", "tess") for emotion in kept(chosen, corpus))
    used = sum(emotion in CHOSEN for corpus in ("ravdess", "tess") for emotion in kept(chosen, corpus))
    for row in chosen.table("Protocol speaker: clips and speakers per part."):
        assert sum(number(row[f"{role} clips"]) for role in ("train", "validation", "test")) == used
    assert f"Their {others:,} clips of other emotions are left out." in chosen.text
    assert f"to recognise 4 emotions (sad, calm, angry, happy; {others:,} clips of others are left out), on folds 1, 2" in chosen.text


def test_one_corpus_out_shares_three_of_the_four(chosen):
    for row in chosen.table("Protocol one corpus out: which corpus each fold tests on"):
        assert (row["emotions"], row["number"], row["chance UAR"]) == ("sad, angry, happy", "3", ".333")
        used = sum(emotion in ("sad", "angry", "happy") for corpus in ("ravdess", "tess") for emotion in kept(chosen, corpus))
        assert number(row["clips of other emotions, left out"]) == sum(len(kept(chosen, c)) for c in ("ravdess", "tess")) - used


@pytest.mark.parametrize("model", ["svm", "mlp", "both"])
def test_scores_per_emotion_are_scikit_learns_in_the_order_of_the_classes(chosen, model):
    title = tables.model_title(chosen.results, model)
    rows = chosen.table("Protocol speaker: precision, recall")
    (row,) = [row for row in rows if row["model"].strip("`") == title and row["score"] == "recall"]
    assert list(row) == ["group", "model", "score", *CHOSEN]
    ((truth, predicted),) = chosen.by_seed(model, "speaker")
    expected = recall_score(truth, predicted, labels=CHOSEN, average=None)
    assert [number(row[emotion]) for emotion in CHOSEN] == pytest.approx(expected, abs=5.1e-4)
    confusion = np.array(chosen.results.figures["speaker"][model]["confusion"])
    np.testing.assert_array_equal(confusion, confusion_matrix(truth, predicted, labels=CHOSEN))


def test_an_emotion_that_takes_no_part_keeps_its_dash(chosen):
    rows = chosen.table("Protocol one corpus out: precision, recall")
    assert {row["calm"] for row in rows if row["score"] == "recall"} == {"–"}


def test_with_all_emotions_nothing_is_said_of_others(real):
    assert captions.left_out_clips(real.results) == 0 and captions.chosen_emotions(real.results) == "emotions"
    assert list(real.table("Kept clips per emotion. A dash: the corpus has none.")[0])[-2:] == ["surprise", "all"]
    assert "ther emotions" not in real.text.partition("## Parameters")[0].partition("## Protocols")[0]


@pytest.mark.parametrize("emotions", [("sad", "angry", "happy"), ("calm", "sad", "angry", "happy"), (*CHOSEN, "boredom")])
@pytest.mark.parametrize("step", [summarise, collect])
def test_results_of_other_emotions_are_refused(chosen, monkeypatch, emotions, step):
    monkeypatch.chdir(chosen.folder)
    with pytest.raises(FinserError) as caught:
        step(chosen.params.model_copy(update={"emotions": emotions}))
    said = f"predictions of other emotions; expected {', '.join(emotions)}; found {', '.join(CHOSEN)}; run evaluate_classifier again"
    assert str(caught.value) == f"{layout.classifier_result('svm', 'speaker', 1)}/predictions.parquet: {said}"
