"""Other classes than the default, end to end: prepared, trained, evaluated, fused; and no model of other classes passes."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from finser import layout
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS
from finser.errors import FinserError
from finser.evaluation.evaluate_classifier import evaluate_classifier
from finser.evaluation.fuse_classifiers import fuse_classifiers
from finser.features.noisy import noisy
from finser.files import read_json
from finser.models import load
from finser.splits.protocols import split
from finser.splits.table import read_parts

FOUR = ("neutral", "happy", "sad", "angry")  # as in IEMOCAP
SEVEN = ("boredom", "neutral", "happy", "sad", "angry", "fear", "disgust")  # as in EMO-DB
PLACE = ("speaker", 1)


def of(params: Params, emotions: tuple[str, ...]) -> Params:
    """Params with other emotions, for which the clips are split again."""
    asked = Params.model_validate({**params.model_dump(), "emotions": emotions})
    split(asked, "speaker")
    return asked


@pytest.fixture
def bored(project, relabel):
    """Clips that were calm are of an emotion that no published corpus has."""
    rows = pq.read_table(layout.clips("ravdess")).to_pylist()
    relabel({row["clip_id"]: row["emotion"].replace("calm", "boredom") for row in rows})


def short(altered, model: str) -> Params:
    return altered(model, **({"epochs": 2, "variants": ("original",)} if KINDS[model].by_gradient else {}))


def refusal(step, *given: object) -> str:
    with pytest.raises(FinserError) as caught:
        step(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("emotions", [FOUR, SEVEN], ids=["four", "seven"])
def test_every_kind_is_trained_and_tested_on_the_chosen_emotions(bored, altered, run, model, emotions):
    asked = of(short(altered, model), emotions)
    figures = run(asked, model)
    parts = read_parts(*PLACE, ["ravdess"])
    assert figures["n_test"] == parts["test"].num_rows == 2 * 2 * len(emotions), "two speakers, two clips"
    assert read_json(layout.initial(model) / "config.json")["classes"] == list(emotions)
    classifier, config = load(layout.classifier(model, *PLACE, 0))
    assert config["classes"] == list(emotions) and set(config["clips_per_emotion"]) == set(emotions)
    assert classifier.n_params == config["params"]
    table = pq.read_table(layout.classifier_result(model, *PLACE) / "predictions.parquet")
    assert table.column_names == ["clip_id", "speaker", "emotion", "predicted", *(f"p_{emotion}" for emotion in emotions), "seed"]
    shares = np.column_stack([table[f"p_{emotion}"] for emotion in emotions])
    assert shares.sum(1) == pytest.approx(1) and set(table["emotion"].to_pylist()) == set(emotions)
    assert [emotions[best] for best in shares.argmax(1)] == table["predicted"].to_pylist()


def test_noise_and_fusion_follow_the_chosen_emotions(bored, params, altered, run):
    noise = {"evaluate_classifier": {"noise": {"kinds": ("white",), "snr_db": (10.0,), "clips": 6}}}
    both = {"fusions": ("both",), "fuse_classifiers": {"both": {"members": ("svm", "mlp"), "method": "stacked"}}}
    asked = of(Params.model_validate({**short(altered, "mlp").model_dump(), **noise, **both}), SEVEN)
    noisy(asked, *PLACE)
    for model in ("svm", "mlp"):
        assert set(run(asked, model)["noise"]) == {"clean", "white"}
    fuse_classifiers(asked, "both", *PLACE)
    table = pq.read_table(layout.fusion_result("both", *PLACE) / "predictions.parquet")
    assert np.column_stack([table[f"p_{emotion}"] for emotion in SEVEN]).sum(1) == pytest.approx(1)
    other = asked.model_copy(update={"emotions": SEVEN[1:]})
    said = f"predictions of other emotions; expected {', '.join(SEVEN[1:])}; found {', '.join(SEVEN)}; run: finser evaluate_classifier svm"
    assert f"validation.parquet: {said}" in refusal(fuse_classifiers, other, "both", *PLACE)


@pytest.mark.parametrize("emotions", [FOUR[:3], FOUR[::-1], SEVEN], ids=["fewer", "another order", "more"])
def test_a_model_of_other_emotions_is_not_tested(bored, params, run, emotions):
    """The split has the clips of params.yaml again, the model was trained before."""
    run(of(params, FOUR), "svm")
    said = refusal(evaluate_classifier, of(params, emotions), "svm", *PLACE)
    found = f"expected {', '.join(emotions)}; found {', '.join(FOUR)}; train it again: dvc repro"
    assert said == f"{layout.classifier('svm', *PLACE, 0)}: trained on other emotions; {found}"


def test_a_split_of_other_emotions_is_refused(project, params, run):
    """params.yaml was changed, and the split was not made again."""
    for step, item in ((run, ("svm",)), (noisy, PLACE)):
        said = refusal(step, params.model_copy(update={"emotions": FOUR}), *item)
        assert said.startswith("the split: the emotion '")
        assert said.endswith(f"' is no class; expected {', '.join(FOUR)}; split again: finser split")


def test_the_same_classes_give_the_same_bytes_and_another_order_other_columns(project, params, run):
    asked = of(params, FOUR).model_copy(update={"seeds": (0,)})
    folder = layout.classifier_result("svm", *PLACE)
    kept = []
    for emotions in (FOUR, FOUR, FOUR[::-1]):
        run(asked.model_copy(update={"emotions": emotions}), "svm")
        kept.append(pq.read_table(folder / "predictions.parquet").to_pydict())
    assert kept[0] == kept[1]
    assert list(kept[2]) != list(kept[0])
    assert kept[2]["predicted"] == kept[0]["predicted"]
