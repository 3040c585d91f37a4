"""Predictions of several seeds, read and checked."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finser import layout
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.report.read import collect
from finser.summary.runs import read_predictions, together


def write(path, rows) -> None:
    columns = {name: [row[name] for row in rows] for name in ("clip_id", "speaker", "emotion", "predicted", "seed")}
    p = {f"p_{name}": [float(row["predicted"] == name) for row in rows] for name in EMOTIONS}
    pq.write_table(pa.table({**columns, **p}), path)


def row(clip: str, seed: int, predicted: str = "sad", emotion: str = "happy") -> dict:
    return {"clip_id": clip, "speaker": f"{clip[:4]}/01", "emotion": emotion, "predicted": predicted, "seed": seed}


def test_seeds_in_the_order_asked_for_clips_by_name(tmp_path):
    path = tmp_path / "predictions.parquet"
    write(path, [row("tess/b", 7), row("tess/a", 7, "happy"), row("tess/a", 3, "calm"), row("tess/b", 3, "happy")])
    tested = read_predictions(path, [7, 3], EMOTIONS)
    assert list(tested.clip_ids) == ["tess/a", "tess/b"]
    assert [[EMOTIONS[k] for k in one] for one in tested.predicted] == [["happy", "sad"], ["calm", "happy"]]
    assert tested.probabilities.argmax(2).tolist() == tested.predicted.tolist()
    assert tested.uars == pytest.approx([0.5, 0.5])
    assert list(tested.corpora) == ["tess", "tess"]
    both = together([tested, tested.of(["tess/01"]), tested.of(["nobody/01"])])
    assert (len(both), both.probabilities.shape) == (4, (2, 4, 8))
    np.testing.assert_array_equal(both.confusions, 2 * tested.confusions)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("tess/a", 3)], "has other seeds than its metrics.json"),
        ([row("tess/a", 3), row("tess/b", 7)], "its seeds were tested on different clips"),
        ([row("tess/a", 3), row("tess/a", 7), row("tess/b", 7)], "its seeds were tested on different clips"),
        ([row("tess/a", 3), row("tess/a", 7, emotion="sad")], "its seeds were tested on different clips"),
        ([row("tess/a", 3, "bored"), row("tess/a", 7)], "the emotion 'bored' is no class"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, rows, said):
    path = tmp_path / "predictions.parquet"
    write(path, rows)
    with pytest.raises(FinserError, match=said) as error:
        read_predictions(path, [3, 7], EMOTIONS)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uar": 0.99}, "disagree on uar"),
        ({"uar_seeds": [0.99]}, "disagree on uar_seeds 0"),
        ({"n_test": 1}, "disagree on n_test"),
        ({"seeds": [5]}, "has other seeds than its metrics.json"),
        ({"nll_scaled": None}, "lacks the key 'nll_scaled'"),
    ],
)
def test_metrics_that_their_predictions_do_not_give_are_refused(here, change, said):
    path = layout.classifier_result("svm", "speaker", 2) / "metrics.json"
    figures = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in figures.items() if value is not None}))
    with pytest.raises(FinserError, match=said):
        collect(here.params)


def test_results_on_a_corpus_that_params_leaves_out_are_refused(here):
    corpora = here.params.pooled
    other = here.params.model_copy(update={"pooled": corpora[:1]})
    with pytest.raises(FinserError, match=f"was tested on {corpora[1]}; expected {corpora[0]}; params.yaml has changed since: dvc repro"):
        collect(other)


def test_results_of_other_seeds_than_params_are_refused(here):
    other = here.params.model_copy(update={"seeds": (1,)})
    with pytest.raises(FinserError, match="of other seeds than params.yaml's"):
        collect(other)
