"""Late fusion as a stage: from the members' files to one prediction per clip, with nothing learned from the test part."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from finser import layout
from finser.config.params import Params
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.evaluation.fuse_classifiers import fuse, fuse_classifiers
from finser.evaluation.judged import Judged, predictions_table
from finser.features.examples import Examples
from finser.files import read_json, write_json
from finser.scores import stacking as fusion
from finser.summary.runs import read_fusion

MODELS = ("svm", "mlp", "small_cnn")
SEEDS = (5, 0)
PLACE = ("speaker", 1)
MEMBERS = [("svm", SEEDS[0]), *((model, seed) for model in MODELS[1:] for seed in SEEDS)]  # nothing is drawn in an SVM's training
SKILL = {"svm": (0.5, 1.0), "mlp": (0.8, 0.3), "small_cnn": (0.65, 3.0)}  # share of right clips, sharpness
METHODS = pytest.mark.parametrize("method", ["mean", "stacked"])


@pytest.fixture(scope="session")
def fusing(params: Params) -> Callable[..., Params]:
    """Params with the one fusion `both`."""

    def make(method: str = "stacked", members: tuple[str, ...] = MODELS, seeds: tuple[int, ...] = SEEDS) -> Params:
        section = {"both": {"members": members, "method": method}}
        return Params.model_validate({**params.model_dump(), "seeds": seeds, "fusions": ("both",), "fuse_classifiers": section})

    return make


@pytest.fixture
def written(tmp_path, monkeypatch) -> None:
    """What three models, two of them with two seeds, said of five validation speakers and six others, who are tested."""
    monkeypatch.chdir(tmp_path)
    for model in MODELS:
        write_member(model)


def write_member(model: str, protocol: str = "speaker", seeds: tuple[int, ...] = SEEDS, test_speakers: int = 6) -> None:
    folder = layout.classifier_result(model, protocol, 1)
    folder.mkdir(parents=True)
    for part, name, first, speakers in (("validation", "validation", 0, 5), ("test", "predictions", 5, test_speakers)):
        own = seeds[:1] if model == "svm" else seeds
        table = predictions_table(made_up(part, model, range(first, first + speakers), own), own)
        pq.write_table(table, folder / f"{name}.parquet")
    write_json(folder / "metrics.json", {"n_test_speakers_heard_by_fins": 2 if model == "mlp" else 0})


def made_up(part: str, model: str, speakers: range, seeds: tuple[int, ...]) -> Judged:
    names = [f"ravdess/{speaker:02}" for speaker in speakers for _ in range(20)]
    clips = [f"{speaker}/{number % 20:02}" for number, speaker in enumerate(names)]
    targets = np.random.default_rng(len(names)).integers(0, 8, len(names))
    targets[:8] = range(8)
    rng = np.random.default_rng([MODELS.index(model), len(names)])
    skill, sharpness = SKILL[model]
    best = np.where(rng.random((len(seeds), len(names))) < skill, targets, rng.integers(0, 8, (len(seeds), len(names))))
    logits = sharpness * (rng.normal(size=(*best.shape, 8)) + 2.5 * np.eye(8)[best])
    return Judged(Examples(part, clips, names, ["original"] * len(names), targets, [], EMOTIONS), softmax(logits))


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def said(path) -> tuple[list[str], np.ndarray, list[np.ndarray]]:
    """Clips, class numbers, and the probabilities of each seed in the order of SEEDS, of a file as written."""
    table = pq.read_table(path).to_pandas()
    each = [table[table["seed"] == seed].sort_values("clip_id") for seed in SEEDS if seed in set(table["seed"])]
    truth = each[0]["emotion"].map(EMOTIONS.index).to_numpy()
    return each[0]["clip_id"].tolist(), truth, [one[[f"p_{emotion}" for emotion in EMOTIONS]].to_numpy() for one in each]


def scaled_by_hand(name: str) -> list[np.ndarray]:
    """Every member's probabilities in a file, under the temperature of scipy's least validation log loss."""
    rows = []
    for model in MODELS:
        folder = layout.classifier_result(model, *PLACE)
        _, truth, fitted = said(folder / "validation.parquet")
        _, _, given = said(folder / f"{name}.parquet")
        for seen, wanted in zip(fitted, given, strict=True):

            def loss(log_t: float, seen=seen, truth=truth) -> float:
                return log_loss(truth, softmax(np.log(seen) / np.exp(log_t)), labels=range(8))

            t = np.exp(minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded", options={"xatol": 1e-9}).x)
            rows.append(softmax(np.log(wanted) / t))
    return rows


def result(name: str = "predictions"):
    return layout.fusion_result("both", *PLACE) / f"{name}.parquet"


def metrics() -> dict:
    return read_json(layout.fusion_result("both", *PLACE) / "metrics.json")


@METHODS
def test_a_fusion_is_what_its_members_files_give_by_hand(written, fusing, method):
    fuse_classifiers(fusing(method), "both", *PLACE)
    assert list(metrics()["weights"]) == [f"{model} {seed}" for model, seed in MEMBERS] and metrics()["method"] == method
    _, truth, _ = said(layout.classifier_result("svm", *PLACE) / "validation.parquet")
    weights = np.array([2, 1, 1, 1, 1]) / 6 if method == "mean" else fusion.stacked_weights(scaled_by_hand("validation"), truth)
    assert metrics()["n_test_speakers_heard_by_fins"] == 2, "of the member whose FINs heard most"
    assert list(metrics()["weights"].values()) == pytest.approx(weights, abs=1e-5)
    for name in ("validation", "predictions"):
        clips, truth, own = said(layout.classifier_result("svm", *PLACE) / f"{name}.parquet")
        fused_clips, fused_truth, (fused,) = said(result(name))
        assert fused_clips == clips and fused_truth.tolist() == truth.tolist() and len(own) == 1
        np.testing.assert_allclose(fused, np.tensordot(weights, scaled_by_hand(name), 1), atol=1e-5)


def test_stacked_weights_have_the_least_validation_loss_of_all(written, fusing):
    fuse_classifiers(fusing("stacked"), "both", *PLACE)
    members, (_, truth, (fused,)) = scaled_by_hand("validation"), said(result("validation"))
    reached = log_loss(truth, fused, labels=range(8))
    rng = np.random.default_rng(0)
    others = [np.eye(5)[k] for k in range(5)] + [np.full(5, 1 / 5)] + [rng.dirichlet(np.full(5, 0.5)) for _ in range(200)]
    assert all(reached <= log_loss(truth, np.tensordot(weights, members, 1), labels=range(8)) + 1e-6 for weights in others)


@METHODS
def test_figures_are_scikit_learns_of_the_written_predictions(written, fusing, method):
    fuse_classifiers(fusing(method), "both", *PLACE)
    figures, table = metrics(), pq.read_table(result())
    truth, predicted = table["emotion"].to_pylist(), table["predicted"].to_pylist()
    _, numbers, (shares,) = said(result())
    assert predicted == [EMOTIONS[best] for best in shares.argmax(1)] and set(table["seed"].to_pylist()) == {SEEDS[0]}
    assert figures["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted)) and figures["uar_seeds"] == [figures["uar"]]
    assert figures["wa"] == pytest.approx(accuracy_score(truth, predicted))
    assert figures["f1_macro"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert figures["nll"] == pytest.approx(log_loss(numbers, shares, labels=range(8)))
    assert figures["uar_ci_low"] < figures["uar"] < figures["uar_ci_high"]
    judged = pq.read_table(result("validation"))
    assert figures["validation_uar"] == pytest.approx(
        balanced_accuracy_score(judged["emotion"].to_pylist(), judged["predicted"].to_pylist())
    )
    assert (figures["n_validation"], figures["n_test"], figures["n_test_speakers"]) == (100, 120, 6)
    assert (figures["protocol"], figures["fold"], figures["leaky"], figures["seeds"]) == (*PLACE, False, [SEEDS[0]])
    best = max(balanced_accuracy_score(*of_member(model, seed)) for model, seed in MEMBERS)
    assert figures["uar"] > best - 0.02, "fusing helps, or does no harm"


def of_member(model: str, seed: int) -> tuple[list[str], list[str]]:
    table = pq.read_table(layout.classifier_result(model, *PLACE) / "predictions.parquet").to_pylist()
    rows = [row for row in table if row["seed"] == seed]
    return [row["emotion"] for row in rows], [row["predicted"] for row in rows]


def edit(model: str, name: str, change: Callable[[dict], dict | None]) -> None:
    """Change rows of a member's file, or take some away."""
    path = layout.classifier_result(model, *PLACE) / f"{name}.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist([row for row in map(change, table.to_pylist()) if row], table.schema), path)


def other_truth(row: dict) -> dict:
    """The next emotion, for every second clip."""
    number = EMOTIONS.index(row["emotion"]) + int(row["clip_id"][-1]) % 2
    return {**row, "emotion": EMOTIONS[number % 8]}


def test_the_truth_of_test_clips_changes_figures_and_no_probability(written, fusing):
    fuse_classifiers(fusing("stacked"), "both", *PLACE)
    before, probabilities = metrics(), said(result())[2]
    for model in MODELS:
        edit(model, "predictions", other_truth)
    fuse_classifiers(fusing("stacked"), "both", *PLACE)
    after = metrics()
    assert after["weights"] == before["weights"] and after["temperature"] == before["temperature"] and after["uar"] != before["uar"]
    np.testing.assert_array_equal(said(result())[2], probabilities)
    for model in MODELS:
        edit(model, "validation", other_truth)
    fuse_classifiers(fusing("stacked"), "both", *PLACE)
    assert metrics()["weights"] != before["weights"], "validation decides"


def test_other_test_clips_change_no_weight():
    parts = {part: made_up(part, "mlp", range(4), (0, 1, 2)) for part in ("validation", "test")}
    others = made_up("test", "svm", range(9, 11), (0, 1, 2))
    first, second = (fuse(parts["validation"], test, "stacked", ["mlp"] * 3) for test in (parts["test"], others))
    assert first[0].tolist() == second[0].tolist()
    np.testing.assert_array_equal(first[1]["validation"].probabilities, second[1]["validation"].probabilities)


def test_a_class_that_no_member_knows_stays_impossible():
    """Under one corpus out an SVM gives an exact zero to an emotion that nobody in training had."""
    judged = made_up("validation", "svm", range(4), (0, 1))
    judged.examples.targets[judged.examples.targets == 1] = 0
    probabilities = judged.probabilities.copy()
    probabilities[..., 1] = 0
    probabilities /= probabilities.sum(2, keepdims=True)
    _, fused = fuse(*[Judged(judged.examples, probabilities)] * 2, "stacked", ["svm"] * 2)
    assert not fused["test"].probabilities[..., 1].any()
    assert fused["test"].probabilities.sum(2) == pytest.approx(np.ones((1, 80)))


def test_a_class_that_a_member_never_heard_does_not_set_its_temperature():
    """Clips of it cost the same under any: with them and without them the member is scaled alike."""
    judged = made_up("validation", "svm", range(12), (0,))
    probabilities = judged.probabilities.copy()
    probabilities[..., 7] = 0
    probabilities /= probabilities.sum(2, keepdims=True)
    known = judged.examples.targets != 7
    assert 0.05 < (~known).mean() < 0.2
    some = Judged(replace(judged.examples, targets=judged.examples.targets[known]), probabilities[:, known])
    everything = Judged(judged.examples, probabilities)
    scaled, alone = (fuse(validation, some, "mean", ["svm"])[1]["test"].probabilities[0] for validation in (everything, some))
    np.testing.assert_allclose(scaled, alone, atol=1e-9)
    before, after = (log_loss(judged.examples.targets[known], shares, labels=range(8)) for shares in (probabilities[0, known], scaled))
    assert after <= before + 1e-9


def test_the_same_bytes_twice_whatever_the_order_of_the_rows(written, fusing):
    contents = []
    for turn in range(2):
        fuse_classifiers(fusing(), "both", *PLACE)
        contents.append({path.name: path.read_bytes() for path in layout.fusion_result("both", *PLACE).iterdir()})
        for name in ("validation", "predictions") if not turn else ():
            path = layout.classifier_result("mlp", *PLACE) / f"{name}.parquet"
            table = pq.read_table(path)
            pq.write_table(table.take(np.random.default_rng(0).permutation(len(table))), path)
    assert contents[0] == contents[1] and set(contents[0]) == {"metrics.json", "predictions.parquet", "validation.parquet"}


@METHODS
def test_one_member_of_several_seeds_is_an_ensemble_and_the_report_reads_it(written, fusing, method):
    fuse_classifiers(fusing(method, members=("mlp",)), "both", *PLACE)
    assert list(metrics()["weights"]) == ["mlp 5", "mlp 0"] and sum(metrics()["weights"].values()) == pytest.approx(1)
    run = read_fusion(fusing(), "both", *PLACE)
    assert run.tested.uars.mean() == pytest.approx(metrics()["uar"]) and len(run.tested) == 120
    np.testing.assert_array_equal(run.tested.probabilities[0], said(result())[2][0])


def test_one_member_of_one_seed_is_itself_under_its_temperature(written, fusing):
    fuse_classifiers(fusing("stacked", members=("mlp",), seeds=(0,)), "both", *PLACE)
    assert metrics()["weights"] == {"mlp 0": 1.0} and metrics()["seeds"] == [0]
    np.testing.assert_allclose(said(result())[2][0], scaled_by_hand("predictions")[MEMBERS.index(("mlp", 0))], atol=1e-6)
    assert metrics()["temperature"] == pytest.approx(1, abs=1e-3), "nothing is left to scale"


def refusal(params: Params, protocol: str = "speaker") -> str:
    with pytest.raises(FinserError) as error:
        fuse_classifiers(params, "both", protocol, 1)
    assert "\n" not in str(error.value) and not layout.fusion_result("both", protocol, 1).exists()
    return str(error.value)


@pytest.mark.parametrize("name", ["validation", "predictions"])
@pytest.mark.parametrize(
    "change",
    [
        lambda row: None if row["clip_id"].endswith("/07") else row,
        lambda row: {**row, "clip_id": f"{row['clip_id']}-b"},
        lambda row: {**row, "speaker": "ravdess/24"},
        other_truth,
    ],
    ids=["fewer", "others", "speakers", "truth"],
)
def test_members_that_judged_other_clips_are_refused(written, fusing, name, change):
    edit("mlp", name, change)
    assert refusal(fusing()) == "mlp and svm have different clips; fuse classifiers of the same corpora"


@pytest.mark.parametrize("change", [{"clip_id": "ravdess/05/99"}, {"emotion": "sad"}])
def test_a_member_whose_seeds_judged_other_clips_is_refused(written, fusing, change):
    first = pq.read_table(layout.classifier_result("mlp", *PLACE) / "predictions.parquet").to_pylist()[0]
    assert change.items().isdisjoint(first.items())
    edit("mlp", "predictions", lambda row: {**row, **change} if row == first else row)
    assert "mlp/speaker/1/predictions.parquet: its seeds have different clips" in refusal(fusing())


@pytest.mark.parametrize("damage", ["cut", "a column less"])
def test_a_damaged_file_is_named(written, fusing, damage):
    path = layout.classifier_result("mlp", *PLACE) / "predictions.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:50])
    else:
        pq.write_table(pq.read_table(path).drop_columns(["p_sad"]), path)
    said = refusal(fusing())
    what = "not readable (" if damage == "cut" else f"predictions of other emotions; expected {', '.join(EMOTIONS)}; found neutral,"
    assert said.startswith(f"{path}: {what}") and said.endswith("run: finser evaluate_classifier mlp speaker 1")


def test_other_seeds_and_missing_files_are_named(written, fusing):
    assert "mlp/speaker/1/validation.parquet: predictions of other seeds; expected [5, 1]; found [0, 5]" in refusal(fusing(seeds=(5, 1)))
    (layout.classifier_result("mlp", *PLACE) / "predictions.parquet").unlink()
    said_ = refusal(fusing())
    assert said_.startswith(
        "results/classifiers/mlp/speaker/1/predictions.parquet: no such file; run: finser evaluate_classifier mlp speaker 1"
    )


def test_a_speaker_who_is_judged_in_both_parts_is_refused_unless_the_protocol_leaks_by_design(written, fusing):
    for model in MODELS:
        edit(model, "predictions", lambda row: {**row, "speaker": "ravdess/00"})
    assert "speaker ravdess/00 is in validation and in test" in refusal(fusing())
    for model in MODELS:
        layout.classifier_result(model, "random", 1).parent.mkdir(parents=True)
        layout.classifier_result(model, *PLACE).rename(layout.classifier_result(model, "random", 1))
    fuse_classifiers(fusing(), "both", "random", 1)
    assert read_json(layout.fusion_result("both", "random", 1) / "metrics.json")["leaky"] is True


@METHODS
def test_a_probe_of_an_encoder_a_cnn_and_fins_are_fused(finished, params, method):
    members = ("encoder_probe", "small_cnn", "fin_ensemble")
    section = {"both": {"members": members, "method": method}}
    asked = Params.model_validate({**params.model_dump(), "models": members, "fusions": ("both",), "fuse_classifiers": section})
    fuse_classifiers(asked, "both", *PLACE)
    fused = read_fusion(asked, "both", *PLACE)
    own = [read_json(layout.classifier_result(model, *PLACE) / "metrics.json") for model in members]
    weights = fused.figures["weights"]
    assert list(weights) == [f"{model} 0" for model in members] and sum(weights.values()) == pytest.approx(1)
    tables = [pq.read_table(layout.classifier_result(model, *PLACE) / "predictions.parquet").sort_by("clip_id") for model in members]
    for emotion in EMOTIONS:
        by_hand = 0
        for table, weight, one in zip(tables, weights.values(), own, strict=True):
            shares = np.column_stack([table[f"p_{name}"] for name in EMOTIONS]) ** (1 / one["temperature"])
            by_hand = by_hand + weight * (shares / shares.sum(1, keepdims=True))[:, EMOTIONS.index(emotion)]
        np.testing.assert_allclose(fused.tested.probabilities[0, :, EMOTIONS.index(emotion)], by_hand, atol=1e-4)
    assert fused.figures["uar"] >= min(one["uar"] for one in own) and fused.figures["n_test"] == own[0]["n_test"]


def test_trained_members_are_fused(project, params, altered, run):
    """End to end: what evaluate_classifier writes is what fuse_classifiers reads."""
    values = altered("mlp", epochs=1, variants=("original",)).model_dump()
    both = {"seeds": (0, 1), "fusions": ("both",), "fuse_classifiers": {"both": {"members": ("svm", "mlp")}}}
    asked = Params.model_validate({**values, **both})
    figures = [run(asked, model) for model in ("svm", "mlp")]
    fuse_classifiers(asked, "both", *PLACE)
    fused = read_fusion(asked, "both", *PLACE)
    assert [fused.figures[name] for name in ("n_test", "n_validation", "n_test_speakers")] == [
        figures[0][name] for name in ("n_test", "n_validation", "n_test_speakers")
    ]
    assert fused.figures["uar"] >= max(one["uar"] for one in figures) - 0.1 and fused.figures["nll"] < figures[1]["nll"]
