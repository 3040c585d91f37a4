"""Tables of the emotion classifiers, against scikit-learn and plain loops over the files of predictions."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support, recall_score

from finser import layout
from finser.config.reading import read
from finser.config.sections.classifiers import Ast, EncoderProbe, EncoderTuned, FinEnsemble, SmallCnn, Svm, by_map
from finser.config.sections.fetch_weights import Weights
from finser.config.sections.known_weights import KNOWN
from finser.config.sections.results import Fusion, Summarise
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.project.stages import table
from finser.report import classifier_tables as emotion
from finser.report import tables
from finser.report.literature import published_scores
from finser.report.published_weights import published_weights
from finser.report.read import collect
from finser.summary.comparisons import pairs_of

from .conftest import per_corpus

NAMES = {
    "SVM (baseline)": "svm",
    "MLP": "mlp",
    "`mlp_half`": "mlp_half",
    "`ravdess_cnn`, RAVDESS only": "ravdess_cnn",
    "FIN ensemble": "fin_ensemble",
}
ROOT = Path(__file__).parents[2]
SUMMARY = ("figures", "costs", "comparisons")
TITLES = {"speaker": "Protocol speaker: ", "random": "Protocol random (LEAKY): "}
PROTOCOLS = pytest.mark.parametrize("protocol", ["speaker", "random"])


def numbers(text: str) -> list[float]:
    """All numbers of a cell: ``.612 (.598 to .630)`` is three."""
    return [float(part) for part in text.replace(",", "").strip("*").replace("(", "").replace(")", "").replace(" to ", " ").split()]


def near(expected, digits: int = 3):
    """Equal but for rounding."""
    return pytest.approx(expected, abs=0.51 * 10**-digits)


def uars(page, model: str, protocol: str, kept=lambda row: True) -> list[float]:
    """Per seed, scikit-learn's mean recall of the emotions of each corpus, the mean over the corpora; clips of all folds."""
    rows = [row for row in page.predictions(model, protocol) if kept(row)]
    return [per_corpus(part, [row["predicted"] for row in part], recall) for part in by_seed(rows)]


def by_seed(rows: list[dict]) -> list[list[dict]]:
    return [[row for row in rows if row["seed"] == seed] for seed in sorted({row["seed"] for row in rows})]


def recall(truth: tuple[str, ...], predicted: tuple[str, ...]) -> float:
    return recall_score(truth, predicted, labels=sorted(set(truth)), average="macro")


def summary(page, name: str) -> dict:
    return json.loads((page.folder / f"results/summary/{name}.json").read_text())


def with_range(seeds: list[float]) -> list[float]:
    """The mean, and the minimum and the maximum of several seeds; a model that draws nothing has one."""
    return [np.mean(seeds), min(seeds), max(seeds)] if len(seeds) > 1 else [np.mean(seeds)]


@PROTOCOLS
def test_scores_per_fold_are_those_of_metrics(synthetic, protocol):
    rows = [row for row in synthetic.table(TITLES[protocol] + "test scores") if row["fold"].isdigit()]
    assert [NAMES[row["model"]] for row in rows] == [model for model in synthetic.results.models for _ in (1, 2)]
    for row in rows:
        metrics = synthetic.metrics(NAMES[row["model"]], protocol, int(row["fold"]))
        assert numbers(row["UAR"]) == near(with_range(metrics["uar_seeds"]))
        for key, column in {"wa": "WA", "f1_macro": "macro-F1"}.items():
            assert numbers(row[column]) == near([metrics[key]])
        for key, column in {"uar": "UAR", "wa": "WA", "f1_macro": "macro-F1"}.items():
            bounds = row[f"{column}, 95% interval"].partition(" about ")[0].partition(" (")[0]
            assert numbers(bounds) == near([metrics[f"{key}_ci_low"], metrics[f"{key}_ci_high"]])
        assert [int(row[column]) for column in ("test clips", "test speakers")] == [metrics["n_test"], metrics["n_test_speakers"]]


@PROTOCOLS
def test_all_folds_together_are_their_clips_together(synthetic, protocol):
    rows = [row for row in synthetic.table(TITLES[protocol] + "test scores") if row["fold"] == "**all**"]
    for row, model in zip(rows, synthetic.results.models, strict=True):
        each = uars(synthetic, model, protocol)
        assert numbers(row["UAR"]) == near(with_range(each))
        assert int(row["test clips"]) == len(synthetic.predictions(model, protocol)) / len(each)
    assert "Tested on other corpora than the baseline, and so not compared with it:\n\n- `ravdess_cnn`, RAVDESS only.\n" in synthetic.text


@PROTOCOLS
def test_an_interval_names_the_corpora_that_it_covers(synthetic, protocol):
    """Under speaker, two speakers of each corpus are tested; under random all, of whom TESS has two."""
    rows = [row for row in synthetic.table(TITLES[protocol] + "test scores") if row["fold"] == "**all**"]
    stated = summary(synthetic, "figures")[protocol]
    for row, model in zip(rows, synthetic.results.models, strict=True):
        if protocol == "speaker":
            assert row["UAR, 95% interval"] == "–"
            continue
        bounds, _, covered = row["UAR, 95% interval"].partition(" (")
        bounds, _, middle = bounds.partition(" about ")
        assert numbers(bounds) == near([stated[model]["uar"]["low"], stated[model]["uar"]["high"]])
        assert middle == "" if model == "ravdess_cnn" else float(middle) == near(stated[model]["uar"]["centre"])
        assert covered == ("" if model == "ravdess_cnn" else "RAVDESS, CREMA-D, SAVEE)")


def test_one_seed_and_one_fold_need_no_range(real):
    (row, _) = real.table("Protocol speaker: test scores")
    assert numbers(row["UAR"]) == near([real.metrics("svm", "speaker", 2)["uar"]])
    assert real.table("Emotion in brief")[0]["95% interval"] == "–"
    assert "seeds" not in real.text.split("## Parameters")[0].split("## Emotion")[1].replace("other seeds of training", "")


def test_gap_between_leaky_and_speaker(synthetic):
    for row, model in zip(
        synthetic.table("UAR under random (LEAKY) and speaker, all folds together"), synthetic.results.models, strict=True
    ):
        expected = np.mean(uars(synthetic, model, "random")) - np.mean(uars(synthetic, model, "speaker"))
        assert float(row["gap"]) == near(expected)


def test_the_summary_is_short_and_right(synthetic):
    rows = synthetic.table("Emotion in brief")
    speaker = ["group", "model", "UAR, speaker", "95% interval", "UAR - baseline"]
    assert list(rows[0]) == [*speaker, "UAR, random (LEAKY)", "95% interval 6", "UAR - baseline 7", "parameters"]
    baseline = np.mean(uars(synthetic, "svm", "speaker"))
    for row, model in zip(rows, synthetic.results.models, strict=True):
        each = [synthetic.metrics(model, "speaker", fold)["uar"] for fold in (1, 2)]
        own = np.mean(uars(synthetic, model, "speaker"))
        assert numbers(row["UAR, speaker"]) == near([own, min(each), max(each)])
        assert row["UAR - baseline"] == "–" if model in ("svm", "ravdess_cnn") else float(row["UAR - baseline"]) == near(own - baseline)
        assert numbers(row["parameters"]) == [synthetic.metrics(model, "speaker", 1)["params"]]


@PROTOCOLS
def test_precision_recall_and_f1_per_class_are_scikit_learns(synthetic, protocol):
    rows = synthetic.table(TITLES[protocol] + "precision, recall and F1 per emotion")
    assert len(rows) == 3 * len(synthetic.results.models)
    for place, model in enumerate(synthetic.results.models):
        pairs = synthetic.by_seed(model, protocol)
        each = [precision_recall_fscore_support(*pair, labels=EMOTIONS, average=None, zero_division=0)[:3] for pair in pairs]
        for row, name, expected in zip(rows[3 * place :], ("precision", "recall", "F1"), np.mean(each, axis=0), strict=False):
            assert row["score"] == name
            assert [float(row[emotion]) for emotion in EMOTIONS] == near(list(expected))


@PROTOCOLS
def test_uar_per_corpus_is_scikit_learns(synthetic, protocol):
    titles = {"RAVDESS": "ravdess", "CREMA-D": "crema_d", "TESS": "tess", "SAVEE": "savee"}
    for row in synthetic.table(TITLES[protocol] + "UAR per corpus"):
        assert set(row) == {"group", "model", *titles}  # not ESD: the classifiers did not learn from it
        for title, corpus in titles.items():
            if "RAVDESS only" in row["model"] and title != "RAVDESS":
                assert row[title] == "–"
                continue
            expected = uars(synthetic, NAMES[row["model"]], protocol, lambda clip, corpus=corpus: clip["speaker"].startswith(f"{corpus}/"))
            assert numbers(row[title])[0] == near(np.mean(expected))


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
        assert float(row["women - men"]) == pytest.approx(float(row["UAR, women"]) - float(row["UAR, men"]), abs=1.1e-3)
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
        shown = [float(row[column]) for column in ("its UAR", "median UAR", "its UAR 7")]
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
        assert list(row)[2:] == ["clean", "white, 20 dB", "white, 0 dB", "babble, 20 dB", "babble, 0 dB"]
        assert float(row["clean"]) == near(np.mean([one["clean"]["inf"] for one in noise]))
        for kind, snr in (("white", 20), ("white", 0), ("babble", 20), ("babble", 0)):
            assert float(row[f"{kind}, {snr} dB"]) == near(np.mean([one[kind][str(snr)] for one in noise]))
    assert "test clips in noise" not in real.text
    assert "noise_speaker" not in real.text


@PROTOCOLS
def test_learning_curve_of_sections_that_differ_only_in_speakers(synthetic, real, protocol):
    rows = synthetic.table(TITLES[protocol] + "models that differ only in how many")
    assert [row["model"] for row in rows] == ["`mlp_half`", "MLP"]
    assert [row["fraction of the speakers"] for row in rows] == ["50%", "100%"]
    for row, model in zip(rows, ("mlp_half", "mlp"), strict=True):
        counted = [synthetic.metrics(model, protocol, fold)["n_train_speakers"] for fold in (1, 2)]
        assert float(row["training speakers"]) == near(np.mean(counted), 1)
        assert float(row["UAR"]) == near(np.mean(uars(synthetic, model, protocol)))
    assert "models that differ only in how many" not in real.text


@PROTOCOLS
def test_differences_are_those_of_the_file_and_of_scikit_learn(synthetic, protocol):
    rows = synthetic.table(TITLES[protocol] + "differences of UAR")
    pairs = [(NAMES[row["model"]], NAMES[row["against"]]) for row in rows]
    assert pairs == [("mlp", "svm"), ("mlp_half", "svm"), ("fin_ensemble", "svm"), ("fin_ensemble", "mlp")]
    stated = summary(synthetic, "comparisons")[protocol]
    for row, (a, b) in zip(rows, pairs, strict=True):
        one = stated[f"{a} - {b}"]
        assert float(row["difference"]) == near(np.mean(uars(synthetic, a, protocol)) - np.mean(uars(synthetic, b, protocol)))
        if protocol == "speaker":
            assert (row["difference, 95% interval"], row["p"], row["p, Holm"]) == ("–", "–", "–")
            continue
        assert numbers(row["difference, 95% interval"].partition(" about ")[0].partition(" (")[0]) == near([one["low"], one["high"]])
        for column, key in (("p", "p"), ("p, Holm", "p_holm")):
            assert row[column] == "< .001" if one[key] < 0.001 else float(row[column]) == near(one[key])
        assert one["p"] <= one["p_holm"] <= min(1, 4 * one["p"])
    caption = next(caption for caption, _ in synthetic.tables if TITLES[protocol] + "differences" in caption)
    assert ("corrects it for the 4 comparisons" in caption) == (protocol != "speaker"), "without an interval there is no p"
    assert "nothing about other seeds of training than those that were run" in caption


@PROTOCOLS
def test_the_corpus_as_a_hint(synthetic, protocol):
    """Only RAVDESS has calm: elsewhere it may not be predicted."""
    for row in synthetic.table(TITLES[protocol] + "the corpus as a hint"):
        model, each = NAMES[row["model"]], []
        for part in by_seed(synthetic.predictions(model, protocol)):
            allowed = [[e for e in EMOTIONS if e != "calm" or clip["speaker"].startswith("ravdess")] for clip in part]
            best = [max(names, key=lambda e, clip=clip: clip[f"p_{e}"]) for names, clip in zip(allowed, part, strict=True)]
            each.append(per_corpus(part, best, recall))
        free = np.mean(uars(synthetic, model, protocol))
        assert [float(row["UAR"]), float(row["UAR, own emotions"])] == near([free, np.mean(each)])
        assert float(row["gain"]) == near(np.mean(each) - free)


def test_what_an_interval_says_is_not_said_of_a_leaky_protocol(synthetic, real):
    clause = " This does not hold under random, where test speakers were trained on, too"
    said = "It estimates how the score would vary with other speakers of these corpora."
    assert said + clause in synthetic.text
    assert f"{said} It covers the corpora with at least 4 test speakers" in real.text


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        (layout.summary(), ("mlp", "uar_folds", "2")),
        (layout.summary(), ("mlp", "classes", "calm", "recall")),
        (layout.summary(), ("svm", "calibration", "ece")),
        (layout.comparisons(), ("mlp - svm", "value")),
        (layout.costs(), ("mlp", "seconds_train")),
    ],
)
def test_a_summary_of_other_results_is_refused(here, path, keys):
    stated = json.loads(path.read_text())
    *above, last = ("speaker", *keys)
    part = stated
    for key in above:
        part = part[key]
    part[last] += 0.01
    path.write_text(json.dumps(stated))
    with pytest.raises(FinserError, match=f"{path}: does not agree with the present results; run: finser summarise"):
        collect(here.params)


def test_the_rounding_of_another_cpu_is_no_other_result(here):
    """Vector units add in another order: a clone writes the report of results that were pulled."""
    stated = json.loads(layout.summary().read_text())
    stated["speaker"]["mlp"]["uar"]["value"] *= 1 + 1e-15
    stated["speaker"]["mlp"]["calibration"]["nll"] *= 1 + 1e-12
    layout.summary().write_text(json.dumps(stated))
    collect(here.params)


@pytest.mark.parametrize("path", [layout.summary(), layout.comparisons(), layout.costs()])
@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"speaker": {}}'])
def test_a_summary_of_nonsense_is_one_line(here, path, text):
    path.write_text(text)
    with pytest.raises(FinserError, match=f"^{path}: (not |does not agree )"):
        collect(here.params)


def test_a_summary_with_intervals_of_another_coverage_is_refused(synthetic, monkeypatch):
    monkeypatch.chdir(synthetic.folder)
    collect(synthetic.params)
    evaluate = synthetic.params.evaluate_classifier.model_copy(update={"confidence": 0.9})
    asked = synthetic.params.model_copy(update={"evaluate_classifier": evaluate})
    with pytest.raises(FinserError, match="results/summary/figures.json: does not agree with the present results"):
        collect(asked)


def test_settings_of_every_model(synthetic):
    rows = synthetic.table("The models")
    assert [row["model"] for row in rows] == list(NAMES)
    for row in rows:
        section = synthetic.params.classifiers[NAMES[row["model"]]]
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
        (SmallCnn(init="models/pretrained/cnn"), "width 24; initial weights: pretrained encoder `cnn`"),
        (Ast(init="models/weights/deit"), "size tiny; initial weights: published `deit`"),
        (Svm(representation="egemaps"), "input egemaps"),
        (EncoderProbe(init="models/weights/a", layer=0), "probe logistic; layer 0; initial weights: published `a`"),
        (EncoderTuned(init="models/weights/a", lora_rank=8), "LoRA of rank 8; initial weights: published `a`"),
        (EncoderTuned(init="models/weights/a", frozen_layers=2), "frozen layers 2; initial weights: published `a`"),
    ],
)
def test_a_section_says_what_sets_it_apart(synthetic, section, said):
    name = "mlp" if section.model == "svm" else "svm"  # not the name of its kind, which would be its title
    sections = by_map({**synthetic.params.classifiers, name: section})
    params = synthetic.params.model_copy(
        update={**sections, "fusions": ("all",), "fuse_classifiers": {"all": Fusion(members=("svm", "mlp"))}}
    )
    lines = emotion.sections(dataclasses.replace(synthetic.results, params=params)).splitlines()
    (line,) = (line for line in lines if f"| `{name}` |" in line)
    assert f"| {said} |" in line
    assert lines[-1] == "| late fusion | `all` | late fusion | mean of `svm`, `mlp` | – | – | – |"


def test_cost(synthetic):
    for row in synthetic.table("Protocol speaker: what the models cost"):
        model = NAMES[row["model"]]
        assert numbers(row["parameters"]) == [synthetic.metrics(model, "speaker", 1)["params"]]
        times = [
            json.loads((synthetic.folder / layout.training_time("train_classifier", model, "speaker", fold, seed)).read_text())
            for fold in (1, 2)
            for seed in synthetic.params.seeds_of(model)
        ]
        assert float(row["training, s"]) == near(np.mean([one["seconds_train"] for one in times]), 1)
        assert float(row["ms per clip, classifier alone"]) == near(1.25 * 1.5, 2)
        assert float(row["ms per clip, from samples"]) == near(30.5 * 1.5, 2)
        assert row["device"] == "cpu"
        if model == "svm":
            assert (row["epochs"], row["seconds per epoch"]) == ("–", "–")
        else:
            assert row["epochs"] == "24"
            assert float(row["seconds per epoch"]) == near(np.mean([one["seconds_per_epoch"] for one in times]), 2)


ENCODER_PARAMS = "315,438,720"


def test_parameters_and_times_of_models_on_an_encoder(encoders, synthetic):
    on_encoder = {"encoder, fine-tuned", "encoder, dense", "encoder, probe", "`probe_all`"}
    for words in ("Protocol speaker: what the models cost", "Emotion in brief"):
        found = {row["model"]: row["parameters of the encoder"] for row in encoders.table(words)}
        assert found == {model: ENCODER_PARAMS if model in on_encoder else "–" for model in found} and on_encoder < set(found)
        assert "parameters of the encoder" not in synthetic.table(words)[0]
    (probe,) = (row for row in encoders.table("The models") if row["model"] == "encoder, probe")
    assert probe["in particular"].startswith("probe logistic; layer best; initial weights: published `wavlm`; inputs scaled by speaker")


def test_published_weights_are_listed_with_their_pins_and_licence(encoders, synthetic):
    (row,) = encoders.table("Published weights that models start from")
    assert row == {
        "weights": "`wavlm`",
        "published as": "wav2vec2",
        "source": "local: a file of this machine",
        "revision": "–",
        "SHA-256": f"`{'0' * 64}`",
        "licence": "not stated",
        "publication": "–",
    }
    assert "Published weights that models start from" not in synthetic.text
    known, weights = KNOWN["deit_base_384"], KNOWN["deit_base_384"].weights
    sections = {"ast": Ast(init="models/weights/deit_base_384")}
    params = encoders.params.model_copy(update={"fetch_weights": {"deit_base_384": Weights()}, "models": ("ast",), "fine_tune": sections})
    line = published_weights(dataclasses.replace(encoders.results, params=params)).splitlines()[-1]
    for fact in (known.title, f"hub: {weights.repo}", weights.revision, weights.sha256 or "–", weights.licence, known.citation):
        assert fact in line


@pytest.mark.parametrize("key", ["ms_per_clip", "ms_from_samples"])
def test_times_of_an_earlier_version_are_refused(here, key):
    path = layout.evaluation_time("mlp", "speaker", 2)
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != key}))
    with pytest.raises(FinserError, match=f"{path}: lacks the key '{key}'"):
        collect(here.params)


def test_published_values_are_shown_with_ravdess(synthetic, real, here):
    rows = synthetic.table("Published, for orientation")
    ast = next(row for row in rows if "AST" in row["system"])
    assert (ast["value"], ast["score"], ast["parameters"]) == (".708", "WA (macro-F1 .700)", "87.1 M")
    assert all("LEAKY" in row["protocol"] for row in rows if "random" in row["protocol"])
    assert {row["corpora"] for row in rows} == {"RAVDESS", "CREMA-D", "SAVEE", "TESS", "RAVDESS, CREMA-D, TESS, SAVEE"}
    assert not [row for row in rows if "SVM" in row["system"]], "the project's own runs are not published"
    whisper = {row["corpora"]: (row["score"], row["value"]) for row in rows if "Whisper large-v3, frozen" in row["system"]}
    assert whisper == {"RAVDESS": ("UAR", ".753"), "SAVEE": ("UAR", ".741")}, "ESD is not pooled; its other corpora share speakers"
    assert [row["corpora"] for row in rows if "," not in row["corpora"]] == sorted(
        (row["corpora"] for row in rows if "," not in row["corpora"]), key=["RAVDESS", "CREMA-D", "TESS", "SAVEE"].index
    )
    for row in rows:
        assert re.search(r"doi:10\.\d{4}/|arXiv:\d{4}\.\d{5}|github\.com/\w", row["source"]), row
    assert not [row for row in real.table("Published, for orientation") if row["corpora"] == "SAVEE"]
    values = here.params.model_dump() | {"pooled": ("tess",)}
    without = type(here.params).model_validate(values)
    assert published_scores(dataclasses.replace(here.results, params=without)) == ""


@pytest.mark.parametrize(("protocol", "title"), [*TITLES.items(), ("cross_corpus", "Protocol one corpus out: ")])
def test_a_fusion_has_the_figures_of_its_files_beside_its_members(cross, protocol, title):
    rows = [row for row in cross.table(title + "test scores") if row["model"] == "`both`"]
    assert [row["fold"] for row in rows] == ["1", "2"]
    for row in rows:
        own = cross.metrics("both", protocol, int(row["fold"]))
        assert numbers(row["UAR"]) == near([own["uar"]]) and numbers(row["WA"]) == near([own["wa"]]), "one seed: no range"
    pairs = [(row["model"], row["against"]) for row in cross.table(title + "differences of UAR")]
    assert pairs == [("MLP", "SVM (baseline)"), ("`both`", "SVM (baseline)"), ("`both`", "MLP")]
    expected = np.mean(uars(cross, "both", protocol)) - np.mean(uars(cross, "mlp", protocol))
    assert float(cross.table(title + "differences of UAR")[2]["difference"]) == near(expected)
    cost = cross.table(title + "what the models cost")[-1]
    assert list(cost.values()) == ["late fusion", "`both`", *["–"] * 7]
    assert (cross.folder / f"results/figures/confusion_both_{protocol}.png").exists()


@pytest.mark.parametrize(("protocol", "title"), TITLES.items())
def test_the_weights_of_a_fusion_are_summed_over_the_seeds_of_a_member(cross, protocol, title):
    rows = cross.table(title + "the weight of each member")
    assert [(row["fusion"], row["member"]) for row in rows] == [("`both`", "SVM (baseline)"), ("`both`", "MLP")]
    for row, member in zip(rows, ("svm", "mlp"), strict=True):
        given = [cross.metrics("both", protocol, fold)["weights"] for fold in (1, 2)]
        sums = [sum(one[f"{member} {seed}"] for seed in cross.params.seeds_of(member)) for one in given]
        assert numbers(row["weight"]) == near([np.mean(sums), min(sums), max(sums)])


def test_no_table_of_weights_without_a_fusion(synthetic):
    assert emotion.weights(synthetic.results, "speaker") == "" and "the weight of each member" not in synthetic.text


def test_what_the_fins_of_a_member_heard_is_said_of_the_fusion_too(cross):
    assert cross.text.count("- `both`: fold 2: 1 of ") == 1


def test_trunks_and_fusions_are_commands(cross):
    items = tables.expected_items(cross.results)
    places = [(protocol, fold) for protocol in ("speaker", "random", "cross_corpus") for fold in "12"]
    assert items["pretrain"] == [("small_cnn", *place) for place in places]
    assert items["fuse_classifiers"] == [("both", *place) for place in places]
    assert len(items["evaluate_classifier"]) == 2 * 6 and len(items["train_classifier"]) == (1 + 2) * 6, "fusions are not trained"
    commands = {row["stage"].strip("`"): row["commands"] for row in cross.table("Time per stage")}
    assert (commands["pretrain"], commands["fuse_classifiers"]) == ("6", "6")


def test_a_fusion_is_of_its_members_corpora_whatever_the_folds_that_ran_test(cross):
    """A corpus of few speakers tests nobody in some folds."""
    ran = [run for run in cross.results.runs if (run.model, run.protocol, run.fold) != ("both", "cross_corpus", 2)]
    kept = [dataclasses.replace(run, tested=run.tested.where(run.tested.corpora == "ravdess")) for run in ran if run.model == "both"]
    some = dataclasses.replace(cross.results, runs=(*(run for run in ran if run.model != "both"), *kept))
    assert some.covers("both") == {"ravdess", "tess"} and tables.model_cell(some, "both") == "`both`"
    assert not emotion.without_baseline(some)


def test_every_seed_is_a_command(synthetic):
    items = tables.expected_items(synthetic.results)
    trained = {model: [item[3] for item in items["train_classifier"] if item[:3] == (model, "random", "2")] for model in ("svm", "mlp")}
    assert trained == {"svm": ["0"], "mlp": ["0", "1"]}, "the training of an SVM draws nothing"
    assert len(items["evaluate_classifier"]) == 5 * 2 * 2


def test_the_stages_with_times_are_those_of_dvc_yaml(synthetic):
    assert set(tables.expected_items(synthetic.results)) == set(table(read(ROOT / "dvc.yaml"))) - {"report", "train_final"}


def test_a_name_is_a_title_only_for_its_own_kind(synthetic):
    sections = synthetic.params.classifiers
    swapped = synthetic.params.model_copy(update={"train_classifier": {**sections, "mlp": sections["svm"]}})
    results = dataclasses.replace(synthetic.results, params=swapped)
    assert [tables.model_title(results, model) for model in ("svm", "mlp", "mlp_half")] == ["SVM (baseline)", "mlp", "mlp_half"]
    assert tables.model_cell(results, "mlp") == "`mlp`"


def test_a_pair_the_other_way_round_is_no_second_comparison(synthetic):
    asked = synthetic.params.model_copy(update={"summarise": Summarise(pairs=(("svm", "mlp"), ("fin_ensemble", "mlp")))})
    pairs = pairs_of(asked)
    assert ("mlp", "svm") in pairs and ("svm", "mlp") not in pairs and len({frozenset(pair) for pair in pairs}) == len(pairs)


def leaves(value: object) -> list[float]:
    """All numbers of a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in leaves(one)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def rounded(documents: list[object]) -> set[str]:
    """All numbers of some documents as the page may show them."""
    numbers_ = [abs(number) for document in documents for number in leaves(document)]
    return {f"{number:.{digits}f}".removeprefix("0") for number in numbers_ for digits in (1, 2, 3)}


@pytest.mark.parametrize("run", ["synthetic", "cross"])
def test_every_number_about_classifiers_stands_in_a_file(run, request):
    """The page formats and computes nothing: every number in a model's row is one of that model's, under that protocol, in a file."""
    page = request.getfixturevalue(run)
    figures, costs, comparisons = (json.loads((page.folder / f"results/summary/{name}.json").read_text()) for name in SUMMARY)
    titles, checked = {tables.model_cell(page.results, model): model for model in page.results.models}, 0
    for protocol, title in tables.PROTOCOL_TITLES.items():
        for caption, rows in page.tables:
            if protocol in figures and f"Protocol {title}: " in caption and "model" in (rows[0] if rows else ()):
                for row in rows:
                    model = titles[row["model"].strip("*")]
                    pairs = [one for one in comparisons[protocol].values() if one["model"] == model]
                    folds = [json.loads(path.read_text()) for path in page.folder.glob(f"results/*/{model}/{protocol}/*/metrics.json")]
                    known = rounded([figures[protocol][model], costs[protocol][model], pairs, folds]) | {"0.001", ".001"}
                    cells = [cell for name, cell in row.items() if name not in ("group", "model", "against", "in particular")]
                    found = [text for cell in cells for text in re.findall(r"\d*\.\d+", cell.replace(",", ""))]
                    assert [text for text in found if text.removeprefix("0") not in known] == [], (caption, row)
                    checked += len(found)
    assert checked > 200
