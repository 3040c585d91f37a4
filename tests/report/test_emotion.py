"""Tables of the emotion classifiers, against scikit-learn and plain loops over the files of predictions."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import precision_recall_fscore_support, recall_score

from finser import layout
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.params import Ast, FinEnsemble, Fusion, SmallCnn
from finser.report import emotion, tables
from finser.report.collect import collect
from finser.report.figures import draw
from finser.report.page import write_page
from finser.report.published import published
from finser.report.runs import TRAINING_KEYS

NAMES = {
    "SVM (floor)": "svm",
    "MLP": "mlp",
    "`mlp_half`": "mlp_half",
    "FIN ensemble": "fin_ensemble",
    "`ravdess_cnn`, RAVDESS only": "ravdess_cnn",
}
TITLES = {"speaker": "Protocol speaker: ", "random": "Protocol random (LEAKY): "}
PROTOCOLS = pytest.mark.parametrize("protocol", ["speaker", "random"])


def numbers(text: str) -> list[float]:
    """All numbers of a cell: ``.612 (.598 to .630)`` is three."""
    return [float(part) for part in text.replace(",", "").strip("*").replace("(", "").replace(")", "").replace(" to ", " ").split()]


def near(expected, digits: int = 3):
    """Equal but for rounding."""
    return pytest.approx(expected, abs=0.51 * 10**-digits)


def uars(page, model: str, protocol: str, kept=lambda row: True) -> list[float]:
    """scikit-learn's mean recall of the emotions in the truth, on all folds' clips, per seed."""
    pairs = page.by_seed(model, protocol, kept)
    return [recall_score(truth, predicted, labels=sorted(set(truth)), average="macro") for truth, predicted in pairs]


def mean_uar(page, model: str, protocol: str) -> float:
    """Of the folds' figures in metrics.json."""
    return float(np.mean([page.metrics(model, protocol, fold)["uar"] for fold in page.params.folds]))


@PROTOCOLS
def test_figures_per_fold_are_those_of_metrics(synthetic, protocol):
    rows = [row for row in synthetic.table(TITLES[protocol] + "test figures") if row["fold"].isdigit()]
    assert [NAMES[row["model"]] for row in rows] == [model for model in synthetic.params.models for _ in (1, 2)]
    for row in rows:
        metrics = synthetic.metrics(NAMES[row["model"]], protocol, int(row["fold"]))
        assert numbers(row["UAR"]) == near([metrics["uar"], min(metrics["uar_seeds"]), max(metrics["uar_seeds"])])
        for key, column in {"wa": "WA", "f1_macro": "macro-F1"}.items():
            assert numbers(row[column]) == near([metrics[key]])
        for key, column in {"uar": "UAR", "wa": "WA", "f1_macro": "F1"}.items():
            assert numbers(row[f"{column}, 95% interval"]) == near([metrics[f"{key}_ci_low"], metrics[f"{key}_ci_high"]])
        assert [int(row[column]) for column in ("test clips", "test speakers")] == [metrics["n_test"], metrics["n_test_speakers"]]


def test_the_floor_stands_beside_every_model_of_the_same_corpora(synthetic):
    for row in synthetic.table("Protocol speaker: test figures"):
        if "SVM" in row["model"] or "RAVDESS only" in row["model"]:
            assert (row["floor UAR"], row["UAR - floor"]) == ("–", "–")
        elif row["fold"].isdigit():
            floor = synthetic.metrics("svm", "speaker", int(row["fold"]))["uar"]
            assert numbers(row["floor UAR"]) == near([floor])
            assert float(row["UAR - floor"]) == pytest.approx(numbers(row["UAR"])[0] - float(row["floor UAR"]), abs=1e-9)
    assert "Tested on other corpora than the floor, and so not compared with it:\n\n- `ravdess_cnn`, RAVDESS only.\n" in synthetic.text


def test_means_and_ranges_over_folds_and_seeds(synthetic):
    rows = [row for row in synthetic.table("Protocol random (LEAKY): test figures") if row["fold"].startswith("**mean")]
    for row, model in zip(rows, synthetic.params.models, strict=True):
        each = np.array([synthetic.metrics(model, "random", fold)["uar_seeds"] for fold in synthetic.params.folds])  # (folds, seeds)
        assert numbers(row["UAR"]) == near([each.mean(), each.mean(0).min(), each.mean(0).max()])
        assert numbers(row["fold"].strip("*").removeprefix("mean; ")) == near([each.mean(1).min(), each.mean(1).max()])


def resampled_means(page, model: str, protocol: str, times: int = 1000) -> np.ndarray:
    """UAR, WA and macro-F1, means over seeds and folds that all test the same speakers, speakers drawn by name; shape (times, 3)."""
    rng, counts, names = np.random.default_rng(2), {}, []
    for fold in page.params.folds:
        rows = pq.read_table(page.folder / page.result(model, protocol, fold) / "predictions.parquet").to_pylist()
        names.append(sorted({row["speaker"] for row in rows}))
        for row in rows:
            count = counts.setdefault((fold, row["seed"], row["speaker"]), np.zeros((8, 8)))
            count[EMOTIONS.index(row["emotion"]), EMOTIONS.index(row["predicted"])] += 1
    assert all(one == names[0] for one in names)
    result = []
    for _ in range(times):
        drawn, figures = redrawn(names[0], rng), []
        for fold in page.params.folds:
            for seed in page.params.seeds:
                confusion = sum(counts[fold, seed, name] for name in drawn)
                hits, truth = np.diag(confusion), confusion.sum(1)
                there = truth > 0
                f1 = 2 * hits[there] / (truth + confusion.sum(0))[there]
                figures.append(((hits[there] / truth[there]).mean(), hits.sum() / truth.sum(), f1.mean()))
        result.append(np.mean(figures, axis=0))
    return np.array(result)


def test_the_mean_over_folds_has_the_intervals_of_plain_resampling(synthetic):
    rows = [row for row in synthetic.table("Protocol random (LEAKY): test figures") if row["fold"].startswith("**mean")]
    brief = synthetic.table("Emotion in brief")
    for row, short, model in zip(rows, brief, synthetic.params.models, strict=True):
        assert numbers(short["95% interval 5"]) == numbers(row["UAR, 95% interval"])
        if model not in ("mlp", "ravdess_cnn"):
            continue
        drawn = resampled_means(synthetic, model, "random")
        for name, values in zip(("UAR", "WA", "F1"), drawn.T, strict=True):
            expected = np.quantile(values, [0.025, 0.975])
            assert numbers(row[f"{name}, 95% interval"]) == pytest.approx(expected, abs=0.0005 + 0.15 * np.ptp(expected))


def test_folds_with_one_test_speaker_per_corpus_have_no_interval_of_their_mean(synthetic):
    rows = [row for row in synthetic.table("Protocol speaker: test figures") if row["fold"].startswith("**mean")]
    assert [row[f"{name}, 95% interval"] for row in rows for name in ("UAR", "WA", "F1")] == ["–"] * 3 * len(synthetic.params.models)
    assert {row["95% interval"] for row in synthetic.table("Emotion in brief")} == {"–"}


def test_one_seed_and_one_fold_need_no_range(real):
    (row, _) = real.table("Protocol speaker: test figures")
    metrics = real.metrics("svm", "speaker", 2)
    assert numbers(row["UAR"]) == near([metrics["uar"]])
    brief = real.table("Emotion in brief")[0]["95% interval"]
    assert numbers(brief) == near([metrics["uar_ci_low"], metrics["uar_ci_high"]]) and brief == row["UAR, 95% interval"]
    assert "seeds" not in real.text.split("## Parameters")[0].split("## Emotion")[1].replace("other seeds of training", "")


def test_gap_between_leaky_and_speaker(synthetic):
    for row, model in zip(synthetic.table("Mean UAR over the folds under random (LEAKY)"), synthetic.params.models, strict=True):
        assert float(row["gap"]) == pytest.approx(mean_uar(synthetic, model, "random") - mean_uar(synthetic, model, "speaker"), abs=1.1e-3)


def test_the_summary_is_short_and_right(synthetic):
    rows = synthetic.table("Emotion in brief")
    speaker = ["model", "UAR, speaker", "95% interval", "UAR - floor"]
    assert list(rows[0]) == [*speaker, "UAR, random (LEAKY)", "95% interval 5", "UAR - floor 6", "parameters"]
    for row, model in zip(rows, synthetic.params.models, strict=True):
        each = [synthetic.metrics(model, "speaker", fold)["uar"] for fold in (1, 2)]
        assert numbers(row["UAR, speaker"]) == near([np.mean(each), min(each), max(each)])
        assert numbers(row["parameters"]) == [synthetic.metrics(model, "speaker", 1)["params"]]


@PROTOCOLS
def test_precision_recall_and_f1_per_class_are_scikit_learns(synthetic, protocol):
    rows = synthetic.table(TITLES[protocol] + "precision, recall and F1 per emotion")
    assert len(rows) == 3 * len(synthetic.params.models)
    for place, model in enumerate(synthetic.params.models):
        pairs = synthetic.by_seed(model, protocol)
        each = [precision_recall_fscore_support(*pair, labels=EMOTIONS, average=None, zero_division=0)[:3] for pair in pairs]
        for row, name, expected in zip(rows[3 * place :], ("precision", "recall", "F1"), np.mean(each, axis=0), strict=False):
            assert row["figure"] == name
            assert [float(row[emotion]) for emotion in EMOTIONS] == near(list(expected))


@PROTOCOLS
def test_uar_per_corpus_is_scikit_learns(synthetic, protocol):
    titles = {"RAVDESS": "ravdess", "CREMA-D": "crema_d", "TESS": "tess", "SAVEE": "savee"}
    for row in synthetic.table(TITLES[protocol] + "UAR per corpus"):
        assert set(row) == {"model", *titles}  # not ESD: the classifiers did not learn from it
        for title, corpus in titles.items():
            if "RAVDESS only" in row["model"] and title != "RAVDESS":
                assert row[title] == "–"
                continue
            expected = uars(synthetic, NAMES[row["model"]], protocol, lambda clip, corpus=corpus: clip["speaker"].startswith(f"{corpus}/"))
            assert numbers(row[title]) == near([np.mean(expected)])


@PROTOCOLS
def test_uar_per_sex(synthetic, protocol):
    def sex(speaker: str) -> str:
        """As the fixture deals them."""
        corpus, _, number = speaker.partition("/")
        return {"tess": "women", "savee": "men"}.get(corpus, "men" if int(number) % 2 else "women")

    for row in synthetic.table(TITLES[protocol] + "UAR on women and on men"):
        for group in ("women", "men"):
            model = NAMES[row["model"]]
            own = {clip["speaker"] for clip in synthetic.predictions(model, protocol) if sex(clip["speaker"]) == group}
            assert int(row[group]) == len(own)
            expected = np.mean(uars(synthetic, model, protocol, lambda clip, own=own: clip["speaker"] in own))
            assert numbers(row[f"UAR, {group}"]) == near([expected])
        assert float(row["women - men"]) == pytest.approx(float(row["UAR, women"]) - float(row["UAR, men"]), abs=1e-9)
    assert "All speakers of TESS and of SAVEE are of one sex" in synthetic.text


@PROTOCOLS
def test_worst_and_best_speaker(synthetic, protocol):
    for row in synthetic.table(TITLES[protocol] + "the test speakers that a model does worst"):
        model = NAMES[row["model"]]
        names = {clip["speaker"] for clip in synthetic.predictions(model, protocol)}
        each = {name: np.mean(uars(synthetic, model, protocol, lambda clip, name=name: clip["speaker"] == name)) for name in names}
        assert int(row["speakers"]) == len(each)
        assert each[row["worst"]] == pytest.approx(min(each.values()))
        assert each[row["best"]] == pytest.approx(max(each.values()))
        shown = [float(row[column]) for column in ("its UAR", "median UAR", "its UAR 6")]
        assert shown == near([min(each.values()), np.median(list(each.values())), max(each.values())])


@PROTOCOLS
def test_calibration_is_the_mean_over_the_folds(synthetic, protocol):
    columns = {"temperature": "temperature", "ece": "ECE", "ece_scaled": "ECE, scaled", "nll": "NLL, nats", "nll_scaled": "NLL, scaled"}
    for row in synthetic.table(TITLES[protocol] + "calibration"):
        figures = [synthetic.metrics(NAMES[row["model"]], protocol, fold) for fold in (1, 2)]
        for key, column in columns.items():
            assert float(row[column]) == near(np.mean([one[key] for one in figures]), 2 if key == "temperature" else 3)


def test_noise_is_the_mean_over_the_folds_and_absent_where_none_was_heard(synthetic, real):
    for row in synthetic.table("Protocol speaker: UAR of test clips in noise"):
        noise = [synthetic.metrics(NAMES[row["model"]], "speaker", fold)["noise"] for fold in (1, 2)]
        assert list(row)[1:] == ["clean", "white, 20 dB", "white, 0 dB", "babble, 20 dB", "babble, 0 dB"]
        assert float(row["clean"]) == near(np.mean([one["clean"]["inf"] for one in noise]))
        for kind, snr in (("white", 20), ("white", 0), ("babble", 20), ("babble", 0)):
            assert float(row[f"{kind}, {snr} dB"]) == near(np.mean([one[kind][str(snr)] for one in noise]))
    assert "test clips in noise" not in real.text
    assert "noise_speaker" not in real.text


def redrawn(speakers: list[str], rng: np.random.Generator) -> list[str]:
    """As many speakers of every corpus, with replacement."""
    corpora = sorted({name.split("/")[0] for name in speakers})
    groups = [[name for name in speakers if name.startswith(f"{corpus}/")] for corpus in corpora]
    return [str(name) for group in groups for name in rng.choice(group, len(group))]


def resampled(page, models: list[str], protocol: str, times: int = 1500) -> np.ndarray:
    """Mean over seeds of scikit-learn's recall averaged over classes, speakers drawn by name per corpus, shape (times, models)."""
    rng = np.random.default_rng(1)
    rows = {model: page.predictions(model, protocol) for model in models}
    speakers = sorted({row["speaker"] for row in rows[models[0]]})
    counts = {}  # (model, seed, speaker) -> clips per (truth, hit)
    for model in models:
        for row in rows[model]:
            count = counts.setdefault((model, row["seed"], row["speaker"]), np.zeros((8, 2)))
            count[EMOTIONS.index(row["emotion"]), int(row["emotion"] == row["predicted"])] += 1
    result = np.empty((times, len(models)))
    for time in range(times):
        drawn = redrawn(speakers, rng)
        for place, model in enumerate(models):
            sums = [sum(counts[model, seed, name] for name in drawn) for seed in page.params.seeds]
            result[time, place] = np.mean([np.nanmean(one[:, 1] / np.where(one.sum(1) > 0, one.sum(1), np.nan)) for one in sums])
    return result


@PROTOCOLS
def test_learning_curve_of_sections_that_differ_only_in_speakers(synthetic, real, protocol):
    rows = synthetic.table(TITLES[protocol] + "models that differ only in how many")
    assert [row["model"] for row in rows] == ["`mlp_half`", "MLP"]
    assert [row["share of the speakers"] for row in rows] == ["50%", "100%"]
    drawn = resampled(synthetic, ["mlp_half", "mlp"], protocol)
    for row, model, values in zip(rows, ("mlp_half", "mlp"), drawn.T, strict=True):
        counted = [synthetic.metrics(model, protocol, fold)["n_train_speakers"] for fold in (1, 2)]
        assert float(row["training speakers"]) == pytest.approx(np.mean(counted), abs=0.051)
        assert float(row["UAR"]) == near(np.mean(uars(synthetic, model, protocol)))
        assert numbers(row["UAR, 95% interval"]) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.015)
    assert "differ only in how many" not in real.text


def test_the_interval_of_one_fold_is_that_of_its_figures_wherever_it_stands(real):
    figures = real.metrics("svm", "speaker", 2)
    assert emotion.uar_interval(real.results, "svm", "speaker") == (figures["uar_ci_low"], figures["uar_ci_high"])


@PROTOCOLS
def test_pairs_are_resampled_together(synthetic, protocol):
    rows = synthetic.table(TITLES[protocol] + "differences of UAR")
    pairs = [(NAMES[row["model"]], NAMES[row["against"]]) for row in rows]
    assert pairs == [("mlp", "svm"), ("mlp_half", "svm"), ("fin_ensemble", "svm"), ("fin_ensemble", "mlp")]
    for row, (a, b) in zip(rows, pairs, strict=True):
        difference = np.mean(uars(synthetic, a, protocol)) - np.mean(uars(synthetic, b, protocol))
        assert float(row["difference"]) == pytest.approx(difference, abs=1.1e-3)
        values = np.subtract(*resampled(synthetic, [a, b], protocol).T)
        assert numbers(row["difference, 95% interval"]) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.02)
        assert float(row["p"]) == pytest.approx(min(1, 2 * min((values <= 0).mean(), (values >= 0).mean())), abs=0.08)
    caption = next(caption for caption, _ in synthetic.tables if TITLES[protocol] + "differences" in caption)
    assert "nothing about other seeds of training than those that were run" in caption


def test_what_an_interval_says_is_not_said_of_a_leaky_protocol(synthetic, real):
    clause = "but not under random, where test speakers were trained on, too"
    assert "it says what other speakers of these corpora would give, " + clause in synthetic.text
    assert "it says what other speakers of these corpora would give. A corpus with one test speaker adds nothing to it" in real.text


def test_models_tested_on_different_clips_are_no_pair(here):
    results = collect(here.params)
    svm, mlp = results.runs
    fewer = dataclasses.replace(mlp, tested=mlp.tested.where(np.arange(len(mlp.tested)) > 0))
    with pytest.raises(
        FinserError, match="mlp and svm were tested on different clips, so they cannot be compared: speaker, fold 2"
    ) as error:
        emotion.pairs(dataclasses.replace(results, runs=(svm, fewer)), "speaker")
    assert "\n" not in str(error.value)


def test_what_stands_behind_every_row(synthetic):
    rows = synthetic.table("The models")
    assert [row["model"] for row in rows] == list(NAMES)
    for row in rows:
        section = synthetic.params.train_classifier[NAMES[row["model"]]]
        assert (row["kind"], row["training speakers"]) == (section.model, f"{100 * section.speakers:.0f}%")
        assert row["epochs, at most"] == str(getattr(section, "epochs", "–"))
        assert row["trained on"] == ", ".join(section.variants).replace("_", " ")
    said = {row["kind"]: row["in particular"] for row in rows}
    assert said["fin_ensemble"] == "arm frozen; FINs: RMS, ZCR, chroma, MFCC, mel; crops of 96 frames"
    assert (said["svm"], said["small_cnn"]) == ("–", "width 24")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (FinEnsemble(arm="librosa", fins=(), crop_frames=48), "arm librosa; FINs: none; crops of 48 frames"),
        (SmallCnn(init="imitation", trunk="cnn"), "width 24; begins from the trunk `cnn`"),
        (Ast(init="weights", weights="deit"), "size tiny; begins from the weights `deit`"),
    ],
)
def test_a_section_says_what_sets_it_apart(synthetic, section, said):
    sections = {**synthetic.params.train_classifier, "svm": section}
    params = synthetic.params.model_copy(
        update={"train_classifier": sections, "fusions": ("all",), "fuse_classifiers": {"all": Fusion(members=("svm", "mlp"))}}
    )
    lines = emotion.sections(dataclasses.replace(synthetic.results, params=params)).splitlines()
    assert f"| {said} |" in lines[2]
    assert lines[-1] == "| `all` | late fusion | mean of `svm`, `mlp` | – | – | – |"


def test_cost(synthetic):
    for row in synthetic.table("Protocol speaker: what the models cost"):
        model = NAMES[row["model"]]
        assert numbers(row["parameters"]) == [synthetic.metrics(model, "speaker", 1)["params"]]
        times = [
            json.loads((synthetic.folder / layout.training_time("train_classifier", model, "speaker", fold, seed)).read_text())
            for fold in (1, 2)
            for seed in (0, 1)
        ]
        assert float(row["training, s"]) == near(np.mean([one["seconds_train"] for one in times]), 1)
        assert float(row["ms per clip"]) == near(1.25 * 1.5, 2)
        assert row["device"] == "cpu"
        if model == "svm":
            assert (row["epochs"], row["seconds per epoch"]) == ("–", "–")
        else:
            assert row["epochs"] == "24"
            assert float(row["seconds per epoch"]) == near(np.mean([one["seconds_per_epoch"] for one in times]), 2)


def test_published_figures_stand_where_ravdess_is(synthetic, real, here):
    rows = synthetic.table("Published, for orientation")
    ast = next(row for row in rows if "AST" in row["system"])
    assert (ast["value"], ast["figure"], ast["parameters"]) == (".708", "WA (macro-F1 .700)", "87.1 M")
    assert all("LEAKY" in row["protocol"] for row in rows if "random" in row["protocol"])
    assert {row["corpora"] for row in rows} == {"RAVDESS", "CREMA-D", "SAVEE", "TESS", "RAVDESS, CREMA-D, TESS, SAVEE"}
    stated = {(row["corpora"], row["system"].split(",")[0], row["figure"].split(" ")[0], row["value"]) for row in rows}
    assert {("RAVDESS", "small networks", "UAR", ".623 ± .012"), ("RAVDESS", "SVM on summary statistics", "WA", ".484")} <= stated
    assert ("RAVDESS", "people", "share", ".670") in stated
    svms = {row["value"]: row["protocol"] for row in rows if "211" in row["system"]}
    assert "LEAKY" in svms[".681"] and svms[".493"] == "no test speaker in training"
    assert not [row for row in real.table("Published, for orientation") if row["corpora"] == "SAVEE"]
    values = here.params.model_dump() | {"pooled": ("tess",)}
    without = type(here.params).model_validate(values)
    assert published(dataclasses.replace(here.results, params=without)) == ""


def test_what_has_nothing_of_a_training_shows_dashes(here):
    """Several models fused have test figures, and neither seconds nor parameters."""
    results = collect(here.params)
    figures = {key: value for key, value in results.runs[1].figures.items() if key not in TRAINING_KEYS}
    for key in ("seconds_train", "seconds_per_epoch", "ms_per_clip"):
        del figures[key]
    fused = dataclasses.replace(results.runs[1], model="both", figures=figures, history=None)
    more = dataclasses.replace(results, runs=(*results.runs, fused))
    assert tables.model_cell(more, "both") == "`both`"
    cost = emotion.cost(more, "speaker").splitlines()[-1]
    assert cost == "| `both` | – | – | – | – | – | – |"
    assert emotion.summary(more).splitlines()[-1].endswith("| – |")
    assert emotion.pairs_of(more) == [("mlp", "svm"), ("both", "svm")]
    assert tables.expected_items(more) == tables.expected_items(results)
    draw(more, Path("results/figures"))
    assert "`both`" in write_page(more)


@pytest.mark.parametrize(("protocol", "title"), [*TITLES.items(), ("cross_corpus", "Protocol one corpus out: ")])
def test_a_fusion_has_the_figures_of_its_files_beside_its_members(cross, protocol, title):
    rows = [row for row in cross.table(title + "test figures") if row["model"] == "`both`"]
    assert [row["fold"] for row in rows] == ["1", "2"]
    for row in rows:
        own, floor = (cross.metrics(model, protocol, int(row["fold"])) for model in ("both", "svm"))
        assert numbers(row["UAR"]) == near([own["uar"]]) and numbers(row["WA"]) == near([own["wa"]]), "one seed: no range"
        assert numbers(row["floor UAR"]) == near([floor["uar"]])
    pairs = [(row["model"], row["against"]) for row in cross.table(title + "differences of UAR")]
    assert pairs == [("MLP", "SVM (floor)"), ("`both`", "SVM (floor)"), ("`both`", "MLP")]
    each = (
        [row["emotion"] for row in cross.predictions("both", protocol)],
        [row["predicted"] for row in cross.predictions("both", protocol)],
    )
    expected = recall_score(*each, labels=sorted(set(each[0])), average="macro") - np.mean(uars(cross, "mlp", protocol))
    assert float(cross.table(title + "differences of UAR")[2]["difference"]) == pytest.approx(expected, abs=1.1e-3)
    cost = cross.table(title + "what the models cost")[-1]
    assert list(cost.values()) == ["`both`", *["–"] * 6]
    assert (cross.folder / f"results/figures/confusion_both_{protocol}.png").exists()


@pytest.mark.parametrize(("protocol", "title"), TITLES.items())
def test_the_weights_of_a_fusion_are_summed_over_the_seeds_of_a_member(cross, protocol, title):
    rows = cross.table(title + "the share that each member has")
    assert [(row["fusion"], row["member"]) for row in rows] == [("`both`", "SVM (floor)"), ("`both`", "MLP")]
    for row, member in zip(rows, ("svm", "mlp"), strict=True):
        given = [cross.metrics("both", protocol, fold)["weights"] for fold in (1, 2)]
        shares = [one[f"{member} 0"] + one[f"{member} 1"] for one in given]
        assert numbers(row["weight"]) == near([np.mean(shares), min(shares), max(shares)])


def test_no_table_of_weights_without_a_fusion(synthetic):
    assert emotion.weights(synthetic.results, "speaker") == "" and "the share that each member has" not in synthetic.text


def test_what_the_fins_of_a_member_heard_is_said_of_the_fusion_too(cross):
    assert cross.text.count("- `both`: fold 2: 1 of ") == 1


def test_trunks_and_fusions_are_commands(cross):
    items = tables.expected_items(cross.results)
    places = [(protocol, fold) for protocol in ("speaker", "random", "cross_corpus") for fold in "12"]
    assert items["pretrain"] == [("small_cnn", *place) for place in places]
    assert items["fuse_classifiers"] == [("both", *place) for place in places]
    assert len(items["evaluate_classifier"]) == 2 * 6 and len(items["train_classifier"]) == 2 * 6 * 2, "fusions are not trained"
    commands = {row["stage"].strip("`"): row["commands"] for row in cross.table("Time per stage")}
    assert (commands["pretrain"], commands["fuse_classifiers"]) == ("6", "6")


def test_a_fusion_is_of_its_members_corpora_whatever_the_folds_that_ran_test(cross):
    """A corpus of few speakers tests nobody in some folds."""
    ran = [run for run in cross.results.runs if (run.model, run.protocol, run.fold) != ("both", "cross_corpus", 2)]
    kept = [dataclasses.replace(run, tested=run.tested.where(run.tested.corpora == "ravdess")) for run in ran if run.model == "both"]
    some = dataclasses.replace(cross.results, runs=(*(run for run in ran if run.model != "both"), *kept))
    assert some.covers("both") == {"ravdess", "tess"} and tables.model_cell(some, "both") == "`both`"
    assert emotion.floor_of(some, "both") == "svm" and not emotion.without_floor(some)


def test_every_seed_is_a_command(synthetic):
    items = tables.expected_items(synthetic.results)
    folds = [("mlp", "random", "2"), ("svm", "speaker", "1")]
    assert all((*fold, seed) in items["train_classifier"] and fold in items["evaluate_classifier"] for fold in folds for seed in "01")
    assert len(items["train_classifier"]) == 2 * len(items["evaluate_classifier"]) == 5 * 2 * 2 * 2


def test_a_name_is_a_title_only_for_its_own_kind(synthetic):
    sections = synthetic.params.train_classifier
    swapped = synthetic.params.model_copy(update={"train_classifier": {**sections, "mlp": sections["svm"]}})
    results = dataclasses.replace(synthetic.results, params=swapped)
    assert [tables.model_title(results, model) for model in ("svm", "mlp", "mlp_half")] == ["SVM (floor)", "mlp", "mlp_half"]
    assert tables.model_cell(results, "mlp") == "`mlp`"
